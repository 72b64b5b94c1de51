//! What is wrong with a certificate, its key or the authorities that are believed.

use std::io;
use std::path::PathBuf;

/// Why there is no encryption with these files. Nothing that stands in one of them is repeated.
#[derive(Debug, thiserror::Error)]
pub enum BadTls {
    /// A file cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Unread {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is no PEM.
    #[error(
        "`{}` is no PEM, or not a whole one: it must hold blocks from `-----BEGIN …-----` to `-----END …-----`",
        path.display()
    )]
    NoPem {
        /// Which.
        path: PathBuf,
    },
    /// No certificate is in a file.
    #[error(
        "there is no certificate in `{}`: it must hold `BEGIN CERTIFICATE`, the server's own first and then those that \
         signed it",
        path.display()
    )]
    NoCertificate {
        /// Which.
        path: PathBuf,
    },
    /// No key is in a file.
    #[error("there is no private key in `{}`: it must hold `BEGIN PRIVATE KEY`", path.display())]
    NoKey {
        /// Which.
        path: PathBuf,
    },
    /// The key in a file needs a password.
    #[error(
        "the private key in `{0}` is encrypted, and there is nobody to ask for its password: write it without one, as \
         `openssl pkey -in {0} -out plain.key` does",
        path.display()
    )]
    LockedKey {
        /// Which.
        path: PathBuf,
    },
    /// The key is of another certificate.
    #[error(
        "the private key in `{}` is not that of the first certificate in `{}`: put the server's own certificate first, \
         and take the key that it was made with",
        key.display(),
        certificate.display()
    )]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// The certificate or the key is of a kind that is not known here, or broken.
    #[error(
        "the certificate in `{}` cannot be used with the key in `{}` ({why}): take a certificate of X.509 and a key of \
         ECDSA (P-256, P-384), Ed25519 or RSA (2048 bits or more)",
        certificate.display(),
        key.display()
    )]
    Unusable {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What was found.
        why: String,
    },
    /// A certificate of an authority is none.
    #[error("a certificate in `{}` cannot be one of an authority ({why}): take those that signed the server's", path.display())]
    NoAuthority {
        /// Which.
        path: PathBuf,
        /// What was found.
        why: String,
    },
    /// The system has no authorities.
    #[error("the authorities that this system believes cannot be read ({0}): install them, or name the server's own")]
    NoSystemAuthorities(String),
}
