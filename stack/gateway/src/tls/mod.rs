//! Encryption of its own: certificates of the listeners, and whom the gateway believes a server to be.
//!
//! TLS 1.2 and 1.3 with the primitives of `ring`; nothing older is spoken. No provider is put in force for the whole
//! process, so that a program that embeds the gateway keeps its own.

mod bad;
mod client;
mod pem;
mod server;

pub use bad::BadTls;
pub(crate) use client::client;
pub use server::{CertificateFiles, ServerTls, TlsRenewal};

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::version::{TLS12, TLS13};

/// What is spoken, the newest first.
const VERSIONS: [&rustls::SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
/// HTTP/1.1 is all that the listeners and the way to the server speak.
const ALPN: &[u8] = b"http/1.1";

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
