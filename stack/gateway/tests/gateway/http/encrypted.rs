//! Listeners and servers that encrypt: who is served, who is turned away, and which certificate is shown.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use hyper::Request;
use mcp_gateway::admin::{Admin, AdminConfig, Watch};
use mcp_gateway::{BadTls, CertificateFiles, HttpUpstream, ServerTls};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{Site, call, json_of, modern, send};
use crate::support::server::Fixture;
use crate::support::tls::{Authority, BOTH, Certified, Encrypting, HOME, exchange};
use crate::support::{Bench, in_time};

/// A site with a certificate, and the authority that signed it.
struct Encrypted {
    site: Site,
    authority: Authority,
    certified: Certified,
    files: CertificateFiles,
    tls: ServerTls,
    folder: tempfile::TempDir,
}

impl Encrypted {
    async fn new() -> Self {
        Self::within(60 * 60 * 1000).await
    }

    async fn within(handshake_ms: u64) -> Self {
        let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
        let certified = authority.sign(HOME);
        let files = certified.write(folder.path());
        let tls = ServerTls::read(&files).unwrap();
        let shown = tls.clone();
        let site = Site::with(Bench::new(), Some(Fixture::default()), |config| {
            config.tls = Some(shown);
            config.limits.handshake_ms = handshake_ms;
            // Not what cuts anybody off here.
            config.limits.head_ms = 60 * 60 * 1000;
        })
        .await;
        Self { site, authority, certified, files, tls, folder }
    }

    fn address(&self) -> &str {
        self.site.url.trim_start_matches("http://").trim_end_matches("/mcp")
    }

    fn call(&self) -> Request<String> {
        let post = Request::post("/mcp").header("host", self.address()).header("accept", super::BOTH);
        let post = post.header("content-type", "application/json").header("mcp-method", "tools/call");
        let post = post.header("mcp-protocol-version", "2026-07-28").header("mcp-name", "echo");
        let post = post.header("authorization", format!("Bearer {}", self.site.token));
        post.body(modern(call(1, "echo", json!({"a": 1}))).to_string()).unwrap()
    }

    async fn is_served(&self) {
        let stream = in_time(self.authority.connect(self.address(), BOTH)).await.unwrap();
        let (_, answered) = in_time(exchange(stream, self.call())).await;
        assert_eq!(answered.status(), 200);
    }
}

#[tokio::test]
async fn calls_pass_encrypted_by_tls_1_2_and_1_3() {
    let desk = Encrypted::new().await;
    for version in BOTH {
        let stream = in_time(desk.authority.connect(desk.address(), &[version])).await.unwrap();
        assert!(desk.certified.was_shown(&stream));
        let (_, session) = stream.get_ref();
        assert_eq!(session.protocol_version(), Some(version.version));
        assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
        // One connection bears several requests.
        let (stream, _) = in_time(exchange(stream, desk.call())).await;
        let (_, answered) = in_time(exchange(stream, desk.call())).await;
        let told: Value = serde_json::from_slice(answered.body()).unwrap();
        assert_eq!(told["result"]["content"][0]["text"], r#"{"a":1}"#, "{told}");
    }
    // Who does not believe the authority says nothing, and nobody else is held up.
    let stranger = in_time(Authority::new().connect(desk.address(), BOTH)).await.unwrap_err();
    assert!(stranger.to_string().contains("invalid peer certificate"), "{stranger}");
    desk.is_served().await;
    desk.site.stop().await;
}

#[tokio::test]
async fn what_is_older_than_tls_1_2_is_refused() {
    let desk = Encrypted::new().await;
    for (minor, kind) in [(3, 22), (2, 21), (1, 21)] {
        let mut stream = TcpStream::connect(desk.address()).await.unwrap();
        stream.write_all(&hello(minor)).await.unwrap();
        let mut told = [0; 7];
        in_time(stream.read_exact(&mut told)).await.unwrap();
        assert_eq!(told[0], kind, "1.{}: {told:?}", minor - 1);
        if kind == 21 {
            // A fatal alert, and the end.
            assert_eq!(told[5], 2, "{told:?}");
            assert_eq!(in_time(stream.read(&mut told)).await.unwrap(), 0);
        }
    }
    desk.site.stop().await;
}

/// A `ClientHello` (RFC 5246, section 7.4.1.2) that names TLS 1.(minor - 1) as the newest that is spoken.
fn hello(minor: u8) -> Vec<u8> {
    let mut body = vec![3, minor];
    body.extend([7; 32]);
    // No session; TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256; no compression.
    body.extend([0, 0, 2, 0xc0, 0x2b, 1, 0]);
    // secp256r1, ecdsa_secp256r1_sha256, uncompressed points.
    body.extend([0, 22, 0, 10, 0, 4, 0, 2, 0, 0x17, 0, 13, 0, 4, 0, 2, 4, 3, 0, 11, 0, 2, 1, 0]);
    let length = u8::try_from(body.len()).unwrap();
    [vec![22, 3, 1, 0, length + 4, 1, 0, 0, length], body].concat()
}

#[tokio::test]
async fn a_request_in_the_clear_is_told_to_encrypt_and_goes_no_further() {
    let desk = Encrypted::new().await;
    let mut stream = TcpStream::connect(desk.address()).await.unwrap();
    let body = call(1, "echo", json!({})).to_string();
    let head = format!("POST /mcp HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n", desk.site.token);
    stream.write_all(format!("{head}content-length: {}\r\n\r\n", body.len()).as_bytes()).await.unwrap();
    let mut told = String::new();
    in_time(stream.read_to_string(&mut told)).await.unwrap();
    // Whoever is still sending is not cut off before the answer can be read.
    for byte in body.bytes() {
        stream.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    let (head, text) = told.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 400 ") && text.contains("https"), "{told}");
    assert!(head.contains(&format!("content-length: {}\r\n", text.len())) || head.ends_with(&text.len().to_string()));
    drop(stream);
    // What is neither is cut off with an alert.
    let mut stream = TcpStream::connect(desk.address()).await.unwrap();
    stream.write_all(b"\0\0\0\0 neither this nor that").await.unwrap();
    let mut told = Vec::new();
    in_time(stream.read_to_end(&mut told)).await.unwrap();
    assert_eq!(told.first(), Some(&21), "{told:?}");
    desk.is_served().await;
    let bench = desk.site.stop().await;
    let decided = bench.audit().iter().filter(|line| line.get("decision").is_some()).count();
    assert_eq!(decided, 1, "only the encrypted call was judged");
}

#[tokio::test]
async fn a_slow_handshake_holds_up_nobody_and_ends() {
    // As long as it may take, others are served.
    let desk = Encrypted::new().await;
    let _slow = TcpStream::connect(desk.address()).await.unwrap();
    let mut half = TcpStream::connect(desk.address()).await.unwrap();
    half.write_all(&[22, 3, 1]).await.unwrap();
    desk.is_served().await;
    desk.site.stop().await;
    // When it may no longer, the connection ends.
    let desk = Encrypted::within(30).await;
    for begun in [&b""[..], &[22, 3, 1]] {
        let mut slow = TcpStream::connect(desk.address()).await.unwrap();
        slow.write_all(begun).await.unwrap();
        let mut told = Vec::new();
        in_time(slow.read_to_end(&mut told)).await.unwrap();
        assert!(told.is_empty(), "{told:?}");
    }
    desk.site.stop().await;
}

#[tokio::test]
async fn another_certificate_takes_the_place_of_the_first() {
    let desk = Encrypted::new().await;
    let before = in_time(desk.authority.connect(desk.address(), BOTH)).await.unwrap();
    let other = desk.authority.sign(HOME);
    // The key of the first one is still there: nothing is renewed.
    std::fs::write(&desk.files.certificate, &other.certificate).unwrap();
    let error = ServerTls::renewal(&desk.files).unwrap_err();
    assert!(matches!(error, BadTls::Mismatch { .. }), "{error}");
    other.write(desk.folder.path());
    let renewal = ServerTls::renewal(&desk.files).unwrap();
    let read_only = in_time(desk.authority.connect(desk.address(), BOTH)).await.unwrap();
    assert!(desk.certified.was_shown(&read_only), "what was only read is not shown");
    let (old, new) = (desk.tls.fingerprint(), renewal.fingerprint().to_owned());
    desk.tls.renew(renewal);
    assert!(old != new && desk.tls.fingerprint() == new);
    let after = in_time(desk.authority.connect(desk.address(), BOTH)).await.unwrap();
    assert!(other.was_shown(&after));
    for stream in [before, after] {
        assert_eq!(in_time(exchange(stream, desk.call())).await.1.status(), 200);
    }
    desk.site.stop().await;
}

#[test]
fn what_is_wrong_with_a_certificate_is_told_with_file_and_remedy() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let (good, other) = (authority.sign(HOME), authority.sign(HOME));
    let secret = good.key.lines().nth(1).unwrap().to_owned();
    let told = |certificate: &str, key: &str| {
        let files = Certified { certificate: certificate.to_owned(), key: key.to_owned() }.write(folder.path());
        let error = ServerTls::read(&files).unwrap_err().to_string();
        assert!(!error.contains(&secret), "{error}");
        error
    };
    let cut = |text: &str| text.lines().take(3).collect::<Vec<_>>().join("\n");
    let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let locked_before = good.key.replace("KEY-----\n", "KEY-----\nProc-Type: 4,ENCRYPTED\n\n");
    let no_key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (certificate, key, file, remedy) in [
        ("", &*good.key, "desk.crt", "`BEGIN CERTIFICATE`"),
        (&*good.key, &*good.key, "desk.crt", "`BEGIN CERTIFICATE`"),
        (&*cut(&good.certificate), &*good.key, "desk.crt", "-----END"),
        (&*good.certificate, "", "desk.key", "`BEGIN PRIVATE KEY`"),
        (&*good.certificate, &*good.certificate, "desk.key", "`BEGIN PRIVATE KEY`"),
        (&*good.certificate, &*cut(&good.key), "desk.key", "-----END"),
        (&*good.certificate, locked, "desk.key", "openssl pkey -in"),
        (&*good.certificate, &*locked_before, "desk.key", "openssl pkey -in"),
        (&*good.certificate, &*other.key, "desk.key", "own certificate first"),
        (&*format!("{}{}", authority.pem, good.certificate), &*good.key, "desk.crt", "own certificate first"),
        (&*good.certificate, no_key, "desk.key", "Ed25519"),
        (no_certificate, &*good.key, "desk.crt", "X.509"),
    ] {
        let error = told(certificate, key);
        assert!(error.contains(file) && error.contains(remedy), "{error}");
    }
    let absent =
        CertificateFiles { certificate: folder.path().join("absent.crt"), key: folder.path().join("desk.key") };
    let error = ServerTls::read(&absent).unwrap_err().to_string();
    assert!(error.contains("absent.crt") && error.contains("No such file"), "{error}");
    // A chain is one, and who can read the key is said.
    let chain = Certified { certificate: format!("{}{}", good.certificate, authority.pem), key: good.key.clone() };
    let files = chain.write(folder.path());
    assert!(ServerTls::read(&files).is_ok() && files.warning().is_none());
    #[cfg(unix)]
    {
        std::fs::set_permissions(&files.key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        let warning = files.warning().unwrap();
        assert!(warning.contains("desk.key") && warning.contains("chmod o-rwx"), "{warning}");
    }
}

#[tokio::test]
async fn the_admin_page_is_encrypted_too() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let files = authority.sign(HOME).write(folder.path());
    let mut config = AdminConfig::new("a-token-of-people-alone", Watch::default(), None).unwrap();
    config.tls = Some(ServerTls::read(&files).unwrap());
    config.hosts.push("desk.example".to_owned());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(Admin::new(Bench::new().gateway, config).serve(listener, std::future::pending()));
    let asked = async |request: Request<String>| {
        let stream = in_time(authority.connect(&address, BOTH)).await.unwrap();
        in_time(exchange(stream, request)).await.1
    };
    let get = |host: &str| Request::get("/healthz").header("host", host).body(String::new()).unwrap();
    for (host, status) in [(&*address, 200), ("desk.example", 200), ("[::1]", 200), ("evil.example", 403)] {
        assert_eq!(asked(get(host)).await.status(), status, "{host}");
    }
    let log_in = |origin: &str| {
        let post = Request::post("/login").header("host", "desk.example").header("origin", origin);
        let post = post.header("content-type", "application/x-www-form-urlencoded");
        post.body("token=a-token-of-people-alone".to_owned()).unwrap()
    };
    let answered = asked(log_in("https://desk.example")).await;
    assert_eq!(answered.status(), 303);
    assert!(answered.headers()["set-cookie"].to_str().unwrap().ends_with("; Secure"), "{:?}", answered.headers());
    assert_eq!(asked(log_in("http://desk.example")).await.status(), 403, "the page in the clear is another");
    let mut clear = TcpStream::connect(&address).await.unwrap();
    clear.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut told = String::new();
    in_time(clear.read_to_string(&mut told)).await.unwrap();
    assert!(told.starts_with("HTTP/1.1 400 "), "{told}");
}

/// The fixture behind an encrypted server of the SDK; its address.
async fn server(fixture: &Fixture, certified: &Certified) -> String {
    let fixture = fixture.clone();
    let (sessions, config) = (Arc::new(LocalSessionManager::default()), StreamableHttpServerConfig::default());
    let service = StreamableHttpService::new(move || Ok(fixture.clone()), sessions, config);
    let listener = Encrypting::new(certified).await;
    let address = axum::serve::Listener::local_addr(&listener).unwrap();
    let router = Router::new().nest_service("/mcp", service);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    format!("https://{address}/mcp")
}

#[tokio::test]
async fn a_server_is_reached_if_it_proves_who_it_is() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let believed = folder.path().join("ca.crt");
    std::fs::write(&believed, &authority.pem).unwrap();
    let fixture = Fixture::default();
    let calls = || fixture.calls.load(Ordering::SeqCst);
    let url = server(&fixture, &authority.sign(HOME)).await;
    let upstream = HttpUpstream::believing(&believed, &url, Some("the-servers-own"), 100_000).unwrap();
    let site = Site::before(Bench::new(), Arc::new(upstream)).await;
    let session = site.open().await;
    let told = json_of(send(site.in_session(&session, &call("a", "echo", json!({"b": 1})))).await).await;
    assert_eq!(told["result"]["content"][0]["text"], r#"{"b":1}"#);
    let told = json_of(send(site.alone(&modern(call(1, "echo", json!({"c": 2}))))).await).await;
    assert_eq!((&told["result"]["content"][0]["text"], calls()), (&json!(r#"{"c":2}"#), 2));
    site.stop().await;

    // Signed by somebody else, for another name, or not encrypted at all: nothing of a call arrives.
    let by_another = server(&fixture, &Authority::new().sign(HOME)).await;
    let of_another = server(&fixture, &authority.sign(&["desk.example"])).await;
    let clear = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let in_the_clear = format!("https://{}/mcp", clear.local_addr().unwrap());
    let heard = tokio::spawn(async move {
        let mut heard = Vec::new();
        let (mut stream, _) = clear.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        stream.read_to_end(&mut heard).await.map(|_| heard).unwrap_or_default()
    });
    for url in [&by_another, &of_another, &in_the_clear] {
        let upstream = HttpUpstream::believing(&believed, url, Some("the-servers-own"), 100_000).unwrap();
        let site = Site::before(Bench::new(), Arc::new(upstream)).await;
        let told = json_of(send(site.alone(&modern(call(1, "echo", json!({}))))).await).await;
        assert!(told.to_string().contains("[OUTCOME UNKNOWN]"), "{url}: {told}");
        site.stop().await;
    }
    let heard = in_time(heard).await.unwrap();
    assert!(!String::from_utf8_lossy(&heard).contains("the-servers-own"));
    // The system does not believe an authority that was made just now. It may have none at all.
    if let Ok(upstream) = HttpUpstream::new(&url, None, 100_000) {
        let site = Site::before(Bench::new(), Arc::new(upstream)).await;
        let told = json_of(send(site.alone(&modern(call(1, "echo", json!({}))))).await).await;
        assert!(told.to_string().contains("[OUTCOME UNKNOWN]"), "{told}");
        site.stop().await;
    }
    assert_eq!(calls(), 2);
}

#[test]
fn authorities_are_read_before_anything_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.crt");
    let told = |url: &str| HttpUpstream::believing(&file, url, None, 1).unwrap_err().to_string();
    assert!(told("https://127.0.0.1:1/mcp").contains("No such file"));
    std::fs::write(&file, "nobody").unwrap();
    let error = told("https://127.0.0.1:1/mcp");
    assert!(error.contains("ca.crt") && error.contains("BEGIN CERTIFICATE"), "{error}");
    std::fs::write(&file, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    let error = told("https://127.0.0.1:1/mcp");
    assert!(error.contains("ca.crt") && error.contains("authority"), "{error}");
    let error = told("http://127.0.0.1:1/mcp");
    assert!(error.contains("`https`"), "{error}");
}
