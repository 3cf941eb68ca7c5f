//! `openframe whoami`.

use openframe_fault::Fault;

use crate::connection::Connection;
use crate::{Format, output};

pub(crate) async fn whoami(connection: &Connection, format: Format) -> Result<(), Fault> {
    let me = connection.auth().me().await?;
    let row = vec![me.user.email.clone(), me.user.role.clone(), me.permissions.join(", ")];
    output::print(format, &me, &["WHO", "ROLE", "MAY"], vec![row])
}
