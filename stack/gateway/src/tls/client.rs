//! Whom the gateway believes a server to be.

use std::path::Path;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

use super::bad::BadTls;
use super::{VERSIONS, pem, provider};

/// How a server proves who it is: by an authority of the file, and no other, or without one by those of the system.
pub(crate) fn client(authorities: Option<&Path>) -> Result<ClientConfig, BadTls> {
    let system = |error: rustls::Error| BadTls::NoSystemAuthorities(error.to_string());
    let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(&VERSIONS).map_err(system)?;
    let Some(path) = authorities else {
        let verifier = Verifier::new(provider()).map_err(system)?;
        return Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth());
    };
    let mut believed = RootCertStore::empty();
    for certificate in pem::certificates(path)? {
        believed
            .add(certificate)
            .map_err(|error| BadTls::NoAuthority { path: path.to_owned(), why: error.to_string() })?;
    }
    Ok(builder.with_root_certificates(believed).with_no_client_auth())
}
