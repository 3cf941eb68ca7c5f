//! A real Prometheus on loopback, in a folder of its own.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use openframe_system::until;
use tempfile::TempDir;

use crate::client::Target;

/// A running Prometheus, killed when dropped.
#[derive(Debug)]
pub(crate) struct Prometheus {
    child: Child,
    /// Where it answers.
    pub(crate) target: Target,
    _folder: TempDir,
}

/// Where a Prometheus is to send what it scrapes: address and key.
pub(crate) type Receiver<'a> = (&'a str, &'a str);

impl Prometheus {
    /// Starts it. With a receiver it scrapes itself every second and writes there.
    pub(crate) async fn start(binary: &Path, to: Option<Receiver<'_>>) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let config = folder.path().join("prometheus.yml");
        let mut text = "global: {scrape_interval: 1s, scrape_timeout: 1s}\n".to_owned();
        if let Some((url, key)) = to {
            write!(
                text,
                "scrape_configs: [{{job_name: self, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]\n\
                 remote_write: [{{url: '{url}/prometheus/api/v1/write', authorization: {{credentials: '{key}'}}, \
                 queue_config: {{batch_send_deadline: 1s}}}}]\n"
            )?;
        }
        std::fs::write(&config, text)?;
        let child = Command::new(binary)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--web.enable-remote-write-receiver")
            .arg("--enable-feature=promql-experimental-functions")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let target = Target::new(&format!("http://127.0.0.1:{port}"), "none")?;
        let own = Self { child, target, _folder: folder };
        until("Prometheus", || async { own.target.well("/-/ready").await.then_some(()) }).await;
        Ok(own)
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may be gone already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
