//! The certificate of the listeners: read at the start, and anew on SIGHUP.

use mcp_gateway::admin::AdminConfig;
use mcp_gateway::http::HttpConfig;
#[cfg(feature = "tls")]
use mcp_gateway::{CertificateFiles, ServerTls, TlsRenewal};

use super::args::GatewayArgs;
use super::failure::Failure;

/// How the listeners encrypt, if they do.
#[derive(Debug, Clone, Default)]
pub(super) struct Encryption {
    #[cfg(feature = "tls")]
    tls: Option<ServerTls>,
}

/// A certificate that was read and is not shown yet.
#[derive(Debug, Default)]
pub(super) struct Renewal {
    #[cfg(feature = "tls")]
    tls: Option<TlsRenewal>,
}

#[cfg(feature = "tls")]
impl Encryption {
    /// Reads the certificate, if there is one; `warn` hears what is amiss with it.
    pub(super) fn read(args: &GatewayArgs, warn: impl FnOnce(&str)) -> Result<Self, Failure> {
        let Some(files) = files(args) else { return Ok(Self::default()) };
        let tls = ServerTls::read(&files)?;
        files.warning().as_deref().map(warn);
        Ok(Self { tls: Some(tls) })
    }

    pub(super) fn is_on(&self) -> bool {
        self.tls.is_some()
    }

    /// Reads the certificate anew. Whether there is one stays what it was at the start.
    pub(super) fn renewal(&self, args: &GatewayArgs) -> Result<Renewal, Failure> {
        let Some(files) = files(args).filter(|_| self.is_on()) else { return Ok(Renewal::default()) };
        let tls = ServerTls::renewal(&files)?;
        if let Some(warning) = files.warning() {
            tracing::warn!("{warning}");
        }
        Ok(Renewal { tls: Some(tls) })
    }

    /// Shows another certificate from the next connection on.
    pub(super) fn renew(&self, renewal: Renewal) {
        if let (Some(tls), Some(renewal)) = (&self.tls, renewal.tls) {
            tracing::info!(sha256 = renewal.fingerprint(), "the certificate is in force");
            tls.renew(renewal);
        }
    }

    pub(super) fn of_listener(&self, config: &mut HttpConfig) {
        config.tls.clone_from(&self.tls);
    }

    pub(super) fn of_admin(&self, config: &mut AdminConfig) {
        config.tls.clone_from(&self.tls);
    }
}

#[cfg(feature = "tls")]
fn files(args: &GatewayArgs) -> Option<CertificateFiles> {
    let (certificate, key) = args.tls_cert.clone().zip(args.tls_key.clone())?;
    Some(CertificateFiles { certificate, key })
}

/// A build that leaves encryption out has nothing to read, and nothing to show.
#[cfg(not(feature = "tls"))]
#[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "with the feature there is something to do")]
impl Encryption {
    pub(super) fn read(_: &GatewayArgs, _: impl FnOnce(&str)) -> Result<Self, Failure> {
        Ok(Self::default())
    }

    pub(super) fn is_on(&self) -> bool {
        false
    }

    pub(super) fn renewal(&self, _: &GatewayArgs) -> Result<Renewal, Failure> {
        Ok(Renewal::default())
    }

    pub(super) fn renew(&self, _: Renewal) {}

    pub(super) fn of_listener(&self, _: &mut HttpConfig) {}

    pub(super) fn of_admin(&self, _: &mut AdminConfig) {}
}

impl Encryption {
    /// As an address begins.
    pub(super) fn scheme(&self) -> &'static str {
        if self.is_on() { "https" } else { "http" }
    }
}
