//! Who may use a cluster.

use scylla::client::session::Session;

use crate::{Cluster, Failure, OpenError};

/// A connection of somebody who may make and lock roles, and looks after the cluster.
pub struct Admin(Session);

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Admin")
    }
}

impl Admin {
    /// Connects as the cluster's user.
    pub async fn connect(cluster: &Cluster) -> Result<Self, OpenError> {
        cluster.connect(None).await.map(Self)
    }

    /// Makes a role that may do everything, or gives it this password.
    pub async fn create_superuser(&self, name: &str, password: &str) -> Result<(), Failure> {
        let with =
            format!("with password = {} and login = true and superuser = true", text(password));
        self.run(&format!("create role if not exists {} {with}", identifier(name))).await?;
        self.run(&format!("alter role {} {with}", identifier(name))).await
    }

    /// Takes a role's right to sign in, and all power.
    pub async fn lock(&self, name: &str) -> Result<(), Failure> {
        let name = identifier(name);
        self.run(&format!("alter role {name} with login = false and superuser = false")).await
    }

    /// Whether all nodes that can be reached know the same tables.
    pub async fn agreed(&self) -> bool {
        matches!(self.0.check_schema_agreement().await, Ok(Some(_)))
    }

    // Roles cannot be named by bound values, so these statements are not prepared.
    async fn run(&self, statement: &str) -> Result<(), Failure> {
        Ok(self.0.query_unpaged(statement, ()).await.map(drop)?)
    }
}

/// A string of CQL.
fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// A quoted name of CQL.
fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_or_password_ends_its_quotes() {
        assert_eq!(text("it's"), "'it''s'");
        assert_eq!(identifier("a\"b"), "\"a\"\"b\"");
    }
}
