//! Certificates that are made for a test, and a client and a server that encrypt.

use std::io;
use std::path::Path;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use mcp_gateway::CertificateFiles;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

/// The names of this machine.
pub(crate) const HOME: &[&str] = &["localhost", "127.0.0.1"];
pub(crate) const BOTH: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12, &rustls::version::TLS13];

/// Somebody who signs certificates.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// The own certificate.
    pub(crate) pem: String,
}

/// A certificate with its key, both PEM.
#[derive(Clone)]
pub(crate) struct Certified {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    pub(crate) fn sign(&self, names: &[&str]) -> Certified {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Certified { certificate, key: key.serialize_pem() }
    }

    /// Connects as somebody who believes this authority alone.
    pub(crate) async fn connect(
        &self,
        address: &str,
        versions: &[&'static SupportedProtocolVersion],
    ) -> io::Result<client::TlsStream<TcpStream>> {
        let mut believed = RootCertStore::empty();
        believed.add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let builder = builder.with_protocol_versions(versions).unwrap();
        let mut config = builder.with_root_certificates(believed).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let stream = TcpStream::connect(address).await?;
        TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("127.0.0.1").unwrap(), stream).await
    }
}

impl Certified {
    /// Writes both into a folder, each readable by its owner alone.
    pub(crate) fn write(&self, folder: &Path) -> CertificateFiles {
        let files = CertificateFiles { certificate: folder.join("desk.crt"), key: folder.join("desk.key") };
        std::fs::write(&files.certificate, &self.certificate).unwrap();
        std::fs::write(&files.key, &self.key).unwrap();
        #[cfg(unix)]
        std::fs::set_permissions(&files.key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        files
    }

    fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()
    }

    /// Whether this is what the other end has shown.
    pub(crate) fn was_shown(&self, stream: &client::TlsStream<TcpStream>) -> bool {
        stream.get_ref().1.peer_certificates().unwrap()[0] == self.der()
    }
}

/// Sends one request over a connection, and waits for the whole answer.
pub(crate) async fn exchange(
    stream: client::TlsStream<TcpStream>,
    request: Request<String>,
) -> (client::TlsStream<TcpStream>, Response<Bytes>) {
    let (mut send, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection.without_shutdown());
    let answered = send.send_request(request.map(|body| Full::new(Bytes::from(body)))).await.unwrap();
    let (head, body) = answered.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    drop(send);
    let stream = connection.await.unwrap().unwrap().io.into_inner();
    (stream, Response::from_parts(head, body))
}

/// A listener that encrypts, as others write them.
pub(crate) struct Encrypting {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Encrypting {
    pub(crate) async fn new(certified: &Certified) -> Self {
        let key = PrivateKeyDer::from_pem_slice(certified.key.as_bytes()).unwrap();
        let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let builder = builder.with_protocol_versions(BOTH).unwrap().with_no_client_auth();
        let config = builder.with_single_cert(vec![certified.der()], key).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { listener, acceptor: TlsAcceptor::from(Arc::new(config)) }
    }
}

impl axum::serve::Listener for Encrypting {
    type Io = server::TlsStream<TcpStream>;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, peer) = self.listener.accept().await.unwrap();
            // Whoever does not believe the certificate hangs up.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, peer);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}
