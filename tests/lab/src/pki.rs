//! The lab's certificates: one root, and a key and certificate for each node.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};

use crate::node::Node;

/// Where the certificates of a lab lie.
#[derive(Debug, Clone)]
pub(crate) struct Pki(PathBuf);

impl Pki {
    /// The certificates in `home/pki`, made if they are not there.
    pub(crate) fn of(home: &Path) -> anyhow::Result<Self> {
        let own = Self(home.join("pki"));
        if own.root().exists() {
            return Ok(own);
        }
        fs::create_dir_all(&own.0)?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "OpenFrame lab root");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let root = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        for node in Node::ALL {
            let names = vec![node.address().to_string(), "localhost".to_owned()];
            let mut params = CertificateParams::new(names)?;
            params.distinguished_name.push(DnType::CommonName, node.to_string());
            // Nodes of one cluster are servers and clients to each other.
            params.extended_key_usages =
                vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            let key = KeyPair::generate()?;
            let certificate = params.signed_by(&key, &root)?.pem();
            write(&own.certificate(node), &certificate, 0o644)?;
            write(&own.key(node), &key.serialize_pem(), 0o600)?;
            write(&own.both(node), &format!("{}{certificate}", key.serialize_pem()), 0o600)?;
        }
        // Last: what is there when it is there is whole.
        write(&own.root(), &root.pem(), 0o644)?;
        Ok(own)
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.0
    }

    /// The root's certificate: what clients trust.
    pub(crate) fn root(&self) -> PathBuf {
        self.0.join("root.pem")
    }

    /// A node's certificate.
    pub(crate) fn certificate(&self, node: Node) -> PathBuf {
        self.0.join(format!("{node}.crt"))
    }

    /// A node's key.
    pub(crate) fn key(&self, node: Node) -> PathBuf {
        self.0.join(format!("{node}.key"))
    }

    /// A node's key and certificate in one file.
    pub(crate) fn both(&self, node: Node) -> PathBuf {
        self.0.join(format!("{node}.pem"))
    }
}

fn write(file: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    let mut out =
        OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(file)?;
    out.write_all(text.as_bytes())?;
    Ok(())
}
