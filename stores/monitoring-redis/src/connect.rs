//! Finding the primary.

use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{Client, ConnectionAddr, RedisError, TlsCertificates, TlsMode};

/// The port of a Sentinel unless another one is named.
const SENTINEL_PORT: u16 = 26_379;

/// Where a primary with replicas is, watched by Sentinels.
#[derive(Clone)]
pub struct Settings {
    /// The Sentinels, `HOST` or `HOST:PORT`.
    pub sentinels: Vec<String>,
    /// The name under which they know the primary.
    pub primary: String,
    /// The password of Redis and of the Sentinels.
    pub password: String,
    /// Certificates, PEM, of the authorities that nodes' certificates are checked against.
    pub roots_pem: Vec<u8>,
    /// What the names of channels begin with.
    pub prefix: String,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Settings({} by {})", self.primary, self.sentinels.join(", "))
    }
}

/// The settings cannot be used. The message is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A Sentinel's address is none.
    #[error("{0:?} is no address of a Sentinel: write HOST or HOST:PORT")]
    Address(String),
    /// The driver refuses them.
    #[error("Redis cannot be reached by these settings")]
    Settings(#[from] RedisError),
}

impl Settings {
    fn addresses(&self) -> Result<Vec<ConnectionAddr>, OpenError> {
        let one = |text: &String| {
            let wrong = || OpenError::Address(text.clone());
            let (host, port) = match text.rsplit_once(':') {
                Some((host, port)) => (host, port.parse().map_err(|_| wrong())?),
                None => (text.as_str(), SENTINEL_PORT),
            };
            if host.is_empty() {
                return Err(wrong());
            }
            let (host, insecure, tls_params) = (host.to_owned(), false, None);
            Ok(ConnectionAddr::TcpTls { host, port, insecure, tls_params })
        };
        self.sentinels.iter().map(one).collect()
    }

    /// A client that asks the Sentinels for the primary each time.
    pub(crate) fn client(&self) -> Result<Primary, OpenError> {
        let trust =
            || TlsCertificates { client_tls: None, root_cert: Some(self.roots_pem.clone()) };
        let (addresses, of) = (self.addresses()?, SentinelServerType::Master);
        let client = SentinelClientBuilder::new(addresses, &self.primary, of)?
            .set_client_to_sentinel_password(&self.password)
            .set_client_to_sentinel_certificates(trust())
            .set_client_to_redis_password(&self.password)
            .set_client_to_redis_tls_mode(TlsMode::Secure)
            .set_client_to_redis_certificates(trust())
            .build()?;
        Ok(Primary(client))
    }
}

/// Finds the primary.
pub(crate) struct Primary(SentinelClient);

impl Primary {
    /// Who is primary now.
    pub(crate) async fn find(&mut self) -> Result<Client, RedisError> {
        self.0.async_get_client().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_host_and_perhaps_a_port() {
        let of = |text: &str| {
            let settings = Settings {
                sentinels: vec![text.to_owned()],
                primary: "openframe".to_owned(),
                password: "secret".to_owned(),
                roots_pem: Vec::new(),
                prefix: String::new(),
            };
            assert!(!format!("{settings:?}").contains("secret"));
            settings.addresses().ok().map(|all| all.iter().map(ToString::to_string).collect())
        };
        assert_eq!(of("redis1"), Some(vec!["redis1:26379".to_owned()]));
        assert_eq!(of("10.0.0.1:9"), Some(vec!["10.0.0.1:9".to_owned()]));
        for wrong in [":9", "", "redis1:port", "redis1:99999"] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
