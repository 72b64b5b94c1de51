//! The command with a certificate: what it starts with, what it refuses, and how another takes its place.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command};
use std::sync::mpsc;
use std::time::Duration;

use hyper::Request;
use serde_json::{Value, json};

use crate::certificates::{Authority, BOTH, Certified, HOME, exchange};
use crate::http::run;
use crate::{POLICY, Place, said, send, terminate};

/// A gateway that listens, and what it logs.
struct Listening {
    child: Child,
    log: mpsc::Receiver<String>,
    runtime: tokio::runtime::Runtime,
}

impl Listening {
    fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let said = BufReader::new(child.stderr.take().unwrap());
        let (line, log) = mpsc::channel();
        std::thread::spawn(move || said.lines().map_while(Result::ok).try_for_each(|said| line.send(said)));
        Self { child, log, runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap() }
    }

    /// The next line of the log with these words.
    fn log(&self, words: &str) -> String {
        loop {
            let line = self.log.recv_timeout(Duration::from_mins(1)).unwrap_or_else(|_| panic!("no word of `{words}`"));
            if line.contains(words) {
                return line;
            }
        }
    }

    /// Whether this certificate is shown, and the reason of a denial, or null, of a call.
    fn call(&self, authority: &Authority, address: &str, token: &str, shown: &Certified) -> (bool, Value) {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "echo", "arguments": {},
            "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
                "io.modelcontextprotocol/clientCapabilities": {}}}});
        let post = Request::post("/mcp").header("host", address).header("authorization", format!("Bearer {token}"));
        let post = post.header("accept", "application/json, text/event-stream").header("mcp-method", "tools/call");
        let post = post.header("content-type", "application/json").header("mcp-protocol-version", "2026-07-28");
        let post = post.header("mcp-name", "echo").body(body.to_string()).unwrap();
        self.runtime.block_on(async {
            let stream = authority.connect(address, BOTH).await.unwrap();
            let is_shown = shown.was_shown(&stream);
            let (_, answered) = exchange(stream, post).await;
            let told: Value = serde_json::from_slice(answered.body()).unwrap();
            (is_shown, told["result"]["structuredContent"]["reason"].clone())
        })
    }
}

pub(crate) fn serves_and_renews() {
    let place = Place::new(POLICY);
    let (authority, folder) = (Authority::new(), place.folder.path());
    let first = authority.sign(HOME);
    let files = first.write(folder);
    fs::write(
        place.path("gateway.toml"),
        "state = \"state\"\nlog = \"info\"\n[http]\nlisten = \"127.0.0.1:0\"\n\
         [admin]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"admin.token\"\n\
         [tls]\ncert_file = \"desk.crt\"\nkey_file = \"desk.key\"\n",
    )
    .unwrap();
    fs::write(place.path("admin.token"), "a-token-of-people-alone").unwrap();
    let state = place.path("state");
    let added = run(&["grant", "add", "desk", "--state", state.to_str().unwrap()]);
    let token = String::from_utf8(added.stdout).unwrap().trim().to_owned();
    let config = place.path("gateway.toml");
    let flags = ["--config", config.to_str().unwrap(), "--audit", "/dev/null"];
    let mut gateway = Listening::start(place.before_fixture(&flags, "rmcp"));
    assert!(gateway.log("admin page on ").contains("https://127.0.0.1:"));
    let line = gateway.log("listening on ");
    let address = line.trim().trim_start_matches("listening on https://").trim_end_matches("/mcp").to_owned();
    let served = |gateway: &Listening, shown: &Certified| gateway.call(&authority, &address, &token, shown);
    assert_eq!(served(&gateway, &first), (true, Value::Null));

    // A certificate that is not good changes nothing, not even the policy that is.
    let second = authority.sign(HOME);
    fs::write(&files.certificate, &second.certificate).unwrap();
    fs::write(place.path("policy.json"), POLICY.replace("\"echo\": {}, ", "")).unwrap();
    send(&gateway.child, "-HUP");
    let told = gateway.log("nothing is changed");
    assert!(told.contains("desk.key") && told.contains("desk.crt"), "{told}");
    assert_eq!(served(&gateway, &first), (true, Value::Null));
    // Nor does a good one together with a policy that is not.
    second.write(folder);
    fs::write(place.path("policy.json"), "{").unwrap();
    send(&gateway.child, "-HUP");
    gateway.log("nothing is changed");
    assert_eq!(served(&gateway, &first), (true, Value::Null));
    // Both that are good are in force, from files with other names too.
    fs::write(place.path("policy.json"), POLICY.replace("\"echo\": {}, ", "")).unwrap();
    fs::rename(&files.certificate, place.path("other.crt")).unwrap();
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("desk.crt", "other.crt")).unwrap();
    send(&gateway.child, "-HUP");
    gateway.log("the certificate is in force");
    assert_eq!(served(&gateway, &second), (true, json!("not_available")));
    // Whether anything is encrypted at all is not for a signal.
    fs::write(&config, text.split("[tls]").next().unwrap()).unwrap();
    send(&gateway.child, "-HUP");
    assert!(gateway.log("only after a restart").contains("`tls`"));
    assert_eq!(served(&gateway, &second), (true, json!("not_available")));
    terminate(&gateway.child);
    assert_eq!(gateway.child.wait().unwrap().code(), Some(0));
}

pub(crate) fn refuses_what_is_not_safe() {
    let place = Place::new(POLICY);
    let (authority, folder) = (Authority::new(), place.folder.path());
    let files = authority.sign(HOME).write(folder);
    let (cert, key) = (files.certificate.to_str().unwrap(), files.key.to_str().unwrap());
    let state = place.path("state");
    let state = state.to_str().unwrap();
    fs::write(place.path("admin.token"), "a-token-of-people-alone").unwrap();
    let admin_token = place.path("admin.token");
    let witness = place.path("started");
    let told = |flags: &[&str]| {
        let output = place.gateway(flags).args(["--", "touch"]).arg(&witness).output().unwrap();
        assert!(!witness.exists(), "the server was started: {flags:?}");
        (output.status.code(), said(&output))
    };
    let http = ["--state", state, "--listen", "127.0.0.1:0"];
    for (flags, code, remedy) in [
        (&[&http[..], &["--tls-cert", cert]].concat()[..], 2, "--tls-key FILE"),
        (&[&http[..], &["--tls-key", key]].concat(), 2, "--tls-cert FILE"),
        (&["--tls-cert", cert, "--tls-key", key], 2, "--listen ADDRESS"),
        (
            &[&http[..], &["--tls-cert", cert, "--tls-key", key, "--plain-text-beyond-this-machine"]].concat(),
            2,
            "leave out `--plain-text-beyond-this-machine`",
        ),
        (&[&http[..], &["--tls-cert", key, "--tls-key", key]].concat(), 11, "BEGIN CERTIFICATE"),
        (&[&http[..], &["--tls-cert", cert, "--tls-key", "/nonexistent/key"]].concat(), 11, "/nonexistent/key"),
        // An address of documentation (RFC 5737), which no machine has.
        (&["--state", state, "--listen", "192.0.2.1:0"], 11, "--tls-cert"),
        (&["--admin", "192.0.2.1:0", "--admin-token-file", admin_token.to_str().unwrap()], 11, "--tls-cert"),
        (&["--state", state, "--listen", "192.0.2.1:0", "--tls-cert", cert, "--tls-key", key], 11, "cannot listen on"),
        (
            &[
                "--admin",
                "192.0.2.1:0",
                "--admin-token-file",
                admin_token.to_str().unwrap(),
                "--tls-cert",
                cert,
                "--tls-key",
                key,
            ],
            11,
            "cannot listen on",
        ),
    ] {
        let (status, told) = told(flags);
        assert!(status == Some(code) && told.contains(remedy), "{flags:?}: {status:?} {told}");
    }
    // What is wrong is found before a gateway is put in its place, and so is who else can read the key.
    let check = |flags: &[&str]| {
        let output = place.gateway(&[&http[..], &["--check"], flags].concat()).output().unwrap();
        (output.status.code(), said(&output))
    };
    let (code, told) = check(&["--tls-cert", cert, "--tls-key", key]);
    assert!(code == Some(0) && !told.contains("warning"), "{told}");
    assert_eq!(check(&["--tls-cert", key, "--tls-key", key]).0, Some(11));
    #[cfg(unix)]
    {
        fs::set_permissions(&files.key, std::os::unix::fs::PermissionsExt::from_mode(0o604)).unwrap();
        let (code, told) = check(&["--tls-cert", cert, "--tls-key", key]);
        assert!(code == Some(0) && told.contains("warning: the private key `") && told.contains("chmod"), "{told}");
    }
    let server = |more: &[&str]| check(&[&["--upstream", "https://127.0.0.1:1/mcp"], more].concat());
    assert_eq!(server(&["--upstream-ca", cert]).0, Some(0));
    let (code, told) = server(&["--upstream-ca", key]);
    assert!(code == Some(5) && told.contains("BEGIN CERTIFICATE"), "{told}");
}
