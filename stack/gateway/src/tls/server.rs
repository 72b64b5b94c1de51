//! The certificate that listeners show, and how another takes its place.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::{Error, ServerConfig};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::bad::BadTls;
use super::{ALPN, VERSIONS, pem, provider};

/// Where a certificate and its key stand, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The server's own certificate first, then those that signed it.
    pub certificate: PathBuf,
    /// The private key of the first.
    pub key: PathBuf,
}

/// The encryption of listeners. Clones show the same certificate, also after it was replaced.
#[derive(Clone)]
pub struct ServerTls(Arc<RwLock<Shown>>);

/// A certificate that was read and found good, and is not shown yet.
pub struct TlsRenewal(Shown);

#[derive(Clone)]
struct Shown {
    config: Arc<ServerConfig>,
    fingerprint: String,
}

impl ServerTls {
    /// Reads a certificate and its key.
    ///
    /// # Errors
    /// One of the files cannot be read or holds something else, or they do not belong together.
    pub fn read(files: &CertificateFiles) -> Result<Self, BadTls> {
        Ok(Self(Arc::new(RwLock::new(shown(files)?))))
    }

    /// Reads another certificate, and shows it to nobody yet: what else has to be read can still fail.
    ///
    /// # Errors
    /// As [`ServerTls::read`].
    pub fn renewal(files: &CertificateFiles) -> Result<TlsRenewal, BadTls> {
        shown(files).map(TlsRenewal)
    }

    /// Shows another certificate from the next connection on. Those that are open stay as they are.
    pub fn renew(&self, renewal: TlsRenewal) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = renewal.0;
    }

    /// SHA-256 of the certificate that is shown, as `openssl x509 -fingerprint -sha256` has it, without colons.
    pub fn fingerprint(&self) -> String {
        self.now().fingerprint
    }

    /// Agrees with whoever has connected upon encryption.
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        TlsAcceptor::from(self.now().config).accept(stream).await
    }

    fn now(&self) -> Shown {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl TlsRenewal {
    /// As [`ServerTls::fingerprint`].
    pub fn fingerprint(&self) -> &str {
        &self.0.fingerprint
    }
}

impl CertificateFiles {
    /// What is amiss with how the key is kept, though it can be used; for whoever has to know.
    pub fn warning(&self) -> Option<String> {
        readable_by_all(&self.key).then(|| {
            format!(
                "the private key `{0}` can be read by every user of this machine: `chmod o-rwx {0}`",
                self.key.display()
            )
        })
    }
}

impl std::fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ServerTls").field(&self.fingerprint()).finish()
    }
}

impl std::fmt::Debug for TlsRenewal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("TlsRenewal").field(&self.0.fingerprint).finish()
    }
}

fn shown(files: &CertificateFiles) -> Result<Shown, BadTls> {
    let chain = pem::certificates(&files.certificate)?;
    let key = pem::key(&files.key)?;
    let fingerprint = chain.first().map(|first| hex::encode(Sha256::digest(first))).unwrap_or_default();
    let unusable = |error: Error| match error {
        Error::InconsistentKeys(_) => {
            BadTls::Mismatch { certificate: files.certificate.clone(), key: files.key.clone() }
        }
        error => {
            BadTls::Unusable { certificate: files.certificate.clone(), key: files.key.clone(), why: error.to_string() }
        }
    };
    let builder = ServerConfig::builder_with_provider(provider()).with_protocol_versions(&VERSIONS);
    let mut config = builder.map_err(unusable)?.with_no_client_auth().with_single_cert(chain, key).map_err(unusable)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(Shown { config: Arc::new(config), fingerprint })
}

#[cfg(unix)]
fn readable_by_all(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
fn readable_by_all(_: &Path) -> bool {
    false
}
