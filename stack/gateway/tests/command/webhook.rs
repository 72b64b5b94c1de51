//! The approval webhook of the command.

use std::fs;

use serde_json::{Value, json};
use wiremock::matchers::{header_exists, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::{Place, Served, said};

const POLICY: &str = r#"{"version": "1", "default": "deny", "tools": {
    "echo": {"action": "require_approval", "reason": "a person decides"}}}"#;

pub(crate) fn tells() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let receiver = runtime.block_on(async {
        let receiver = MockServer::start().await;
        let told = Mock::given(method("POST")).and(path("/hook")).and(header_exists("webhook-signature"));
        told.respond_with(ResponseTemplate::new(204)).mount(&receiver).await;
        receiver
    });
    let place = Place::new(POLICY);
    fs::write(place.path("secret"), "a-secret-of-both-ends\n").unwrap();
    let (state, url) = (place.path("state"), format!("{}/hook", receiver.uri()));
    let flags = ["--state", state.to_str().unwrap(), "--approval-webhook", &url];
    let secret = ["--approval-webhook-secret-file", place.path("secret").to_str().unwrap()].map(str::to_owned);
    let with_file: Vec<&str> = flags.iter().copied().chain(secret.iter().map(String::as_str)).collect();
    let mut served = Served::start(place.before_fixture(&with_file, "rmcp"));
    assert_eq!(served.call(1, "echo"), "approval_required");
    assert_eq!(served.call(2, "echo"), "approval_required");
    // The end waits for what was not told yet.
    served.end();
    let told = || runtime.block_on(receiver.received_requests()).unwrap();
    let first: Value = told()[0].body_json().unwrap();
    assert_eq!((told().len(), &first["tool"], &first["arguments"]), (1, &json!("echo"), &json!({"a": "[not shown]"})));

    // The next start tells again what still waits; the secret may stand in the environment.
    let mut again = place.before_fixture(&flags, "rmcp");
    again.env("MCP_GATEWAY_APPROVAL_WEBHOOK_SECRET", "a-secret-of-both-ends");
    Served::start(again).end();
    assert_eq!(told().len(), 2);
    assert_eq!(told()[0].headers["webhook-id"], told()[1].headers["webhook-id"]);
}

pub(crate) fn refuses_what_is_not_safe() {
    let place = Place::new(POLICY);
    let state = place.path("state");
    fs::write(place.path("short"), "canary").unwrap();
    let refused = |url: &str, more: &[&str]| {
        let flags = [&["--state", state.to_str().unwrap(), "--approval-webhook", url], more].concat();
        let output = place.gateway(&flags).args(["--", "true"]).output().unwrap();
        let said = said(&output);
        assert!(!said.contains("canary"), "{said}");
        (output.status.code(), said)
    };
    let (code, said) = refused("http://127.0.0.1:1/canary", &[]);
    assert!(code == Some(16) && said.contains("MCP_GATEWAY_APPROVAL_WEBHOOK_SECRET"), "{said}");
    let short = place.path("short");
    let short = ["--approval-webhook-secret-file", short.to_str().unwrap()];
    assert_eq!(refused("http://127.0.0.1:1/canary", &short).0, Some(16));
    fs::write(place.path("short"), "canary-canary-canary").unwrap();
    let (code, said) = refused("http://desk.example/canary", &short);
    assert!(code == Some(16) && said.contains("--approval-webhook-plain-text"), "{said}");
    assert_eq!(refused("canary", &short).0, Some(16));
    let output = place.gateway(&["--approval-webhook", "http://127.0.0.1:1/"]).args(["--", "true"]).output().unwrap();
    assert!(output.status.code() == Some(2) && crate::said(&output).contains("--state"), "{output:?}");
}
