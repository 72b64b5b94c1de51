//! Certificates and keys as they stand in files.

use std::path::Path;

use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::bad::BadTls;

/// The certificates of a file, in their order; at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, BadTls> {
    let text = read(path)?;
    let all: Vec<_> = CertificateDer::pem_slice_iter(&text).collect::<Result<_, _>>().map_err(|_| no_pem(path))?;
    if all.is_empty() { Err(BadTls::NoCertificate { path: path.to_owned() }) } else { Ok(all) }
}

/// The first key of a file.
pub(super) fn key(path: &Path) -> Result<PrivateKeyDer<'static>, BadTls> {
    let text = read(path)?;
    match PrivateKeyDer::from_pem_slice(&text) {
        Ok(key) => Ok(key),
        // RFC 7468, section 11; and in the older form the headers of a block say so, which makes it no PEM for the reader.
        Err(_) if holds(&text, b"BEGIN ENCRYPTED PRIVATE KEY") || holds(&text, b"Proc-Type: 4,ENCRYPTED") => {
            Err(BadTls::LockedKey { path: path.to_owned() })
        }
        Err(pem::Error::NoItemsFound) => Err(BadTls::NoKey { path: path.to_owned() }),
        Err(_) => Err(no_pem(path)),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, BadTls> {
    std::fs::read(path).map_err(|source| BadTls::Unread { path: path.to_owned(), source })
}

fn no_pem(path: &Path) -> BadTls {
    BadTls::NoPem { path: path.to_owned() }
}

fn holds(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}
