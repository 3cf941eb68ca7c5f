//! A mail server: aiosmtpd of Debian, which prints what it is sent.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use crate::Process;

/// A mail server on this machine. It ends when it is dropped.
#[derive(Debug)]
pub struct MailServer(Process);

/// What it got, as far as tests look at it.
#[derive(Debug, PartialEq, Eq)]
pub struct Letter {
    /// Whom it is for.
    pub to: String,
    /// What it is about.
    pub subject: String,
    /// The first line of it that is an address.
    pub link: Option<String>,
}

/// How it encrypts: certificate and key, PEM.
#[derive(Debug, Clone, Copy)]
pub enum Encrypts<'a> {
    /// It does not.
    No,
    /// From the start.
    Always(&'a Path, &'a Path),
    /// After STARTTLS, and takes nothing before.
    Later(&'a Path, &'a Path),
}

impl MailServer {
    /// `127.0.0.1` and a port that nobody listens on.
    pub fn place() -> anyhow::Result<String> {
        Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
    }

    /// Starts one at `place`.
    pub fn start(place: &str, encrypts: Encrypts<'_>) -> anyhow::Result<Self> {
        // Of Debian, where the library is; another Python may come first on the path.
        let mut command = Command::new("/usr/bin/python3");
        command.args(["-u", "-m", "aiosmtpd", "--nosetuid", "--listen", place]);
        let (flags, files) = match encrypts {
            Encrypts::No => return Ok(Self(Process::start(&mut command)?)),
            Encrypts::Always(chain, key) => (["--smtpscert", "--smtpskey"], [chain, key]),
            Encrypts::Later(chain, key) => (["--tlscert", "--tlskey"], [chain, key]),
        };
        for (flag, file) in flags.into_iter().zip(files) {
            command.arg(flag).arg(file);
        }
        Ok(Self(Process::start(&mut command)?))
    }

    /// Waits for the next letter.
    pub fn letter(&mut self) -> anyhow::Result<Letter> {
        self.0.line("---------- MESSAGE FOLLOWS")?;
        let (to, subject) = (self.0.line("To: ")?, self.0.line("Subject: ")?);
        let mut link = None;
        loop {
            let line = self.0.line("")?;
            if line.starts_with("------------ END MESSAGE") {
                return Ok(Letter { to, subject, link });
            }
            if link.is_none() && (line.starts_with("https://") || line.starts_with("http://")) {
                link = Some(line);
            }
        }
    }

    /// Everything that it was sent, and what it says besides.
    pub fn said(&mut self) -> String {
        self.0.said()
    }
}
