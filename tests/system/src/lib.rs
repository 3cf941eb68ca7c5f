//! The whole product, from outside: real processes, real sockets, real files.
//!
//! [`Server`] is a running `openframe run` with a folder of its own, [`Agent`] a running
//! `openframe-agent`. Both are killed when dropped. In the test binary `clusters` a server is a
//! [`picture::Picture`]: each service a process of its own, on real clusters. [`until`] waits for a condition; nothing here
//! waits for a length of time.

pub mod kept;
mod mail_server;
pub mod picture;
mod process;
pub mod program;
pub mod provider;
pub mod remote_write;
mod server;
pub mod signer;
mod tamper;
mod tls_proxy;

pub use mail_server::{Encrypts, Letter, MailServer};
pub use process::{Process, executable};
pub use server::{Agent, Server, peer_at};
pub use tamper::AuthDatabase;
pub use tls_proxy::TlsProxy;

use std::future::Future;
use std::time::Duration;

use openframe_devices_api::NewCommand;

/// How long a condition may take on a slow machine before the test gives up.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A command that runs `text` in a shell, with the usual limits.
pub fn script(text: &str) -> NewCommand {
    NewCommand {
        script: text.to_owned(),
        interpreter: None,
        timeout_s: None,
        expires_in_s: None,
        idempotent: None,
        reason: None,
    }
}

/// Asks `look` until it gives something, and returns that.
///
/// # Panics
/// When nothing came for a minute and a half; `what` says what was waited for.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let waiting = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let found = tokio::time::timeout(PATIENCE, waiting).await.ok();
    assert!(found.is_some(), "waited in vain for: {what}");
    #[expect(clippy::unwrap_used, reason = "this is how a test fails")]
    found.unwrap()
}
