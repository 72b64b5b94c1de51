//! Servers that die, as real processes.

use std::fs;
use std::io::{BufRead, Write};

use serde_json::{Value, json};

use crate::http::{Listening, run};
use crate::{POLICY, Place, Served, call, terminate};

/// A server that tells its process and ends in a call that says so, without an answer.
pub(crate) fn fragile() {
    let mut out = std::io::stdout();
    for line in std::io::stdin().lock().lines() {
        let frame: Value = serde_json::from_str(&line.unwrap()).unwrap();
        if frame["params"]["arguments"].get("die").is_some() {
            return;
        }
        let result = match frame["method"].as_str() {
            Some("initialize") => {
                json!({"protocolVersion": frame["params"]["protocolVersion"], "capabilities": {"tools": {}},
                       "serverInfo": {"name": "fragile", "version": "1"}})
            }
            Some("tools/call") => {
                json!({"content": [{"type": "text", "text": std::process::id().to_string()}]})
            }
            _ => continue,
        };
        writeln!(out, "{}", json!({"jsonrpc": "2.0", "id": frame["id"], "result": result})).unwrap();
    }
}

fn die(id: u64) -> Value {
    let params = json!({"name": "echo", "arguments": {"die": true}});
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params})
}

fn text(told: &Value) -> &str {
    told["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{told}"))
}

pub(crate) fn over_streams() {
    let place = Place::new(POLICY);
    let mut served = Served::start(place.before_fixture(&["--restart-wait", "1", "--server", "x"], "fragile"));
    let first = served.ask(&call(1, "echo"));
    let lost = served.ask(&die(2));
    assert_eq!(lost["result"]["structuredContent"]["reason"], "outcome_unknown", "{lost}");
    let (event, death) = (served.event("server_lost"), json!("1"));
    assert_eq!((&event["server"], &event["deaths"]), (&json!("x"), &death));
    assert_eq!(served.event("server_restarted")["session"], event["session"]);
    let again = served.ask(&call(3, "echo"));
    assert_ne!(text(&first), text(&again), "another process answers");
    served.end();
}

pub(crate) fn given_up() {
    let place = Place::new(POLICY);
    let flags = ["--restarts", "1", "--restart-wait", "1"];
    let mut served = Served::start(place.before_fixture(&flags, "fragile"));
    served.ask(&die(1));
    served.event("server_restarted");
    let lost = served.ask(&die(2));
    assert_eq!(lost["result"]["structuredContent"]["reason"], "outcome_unknown", "{lost}");
    assert_eq!(served.event("server_given_up")["why"], "it died 2 times in a row");
    served
        .log("error: the session ended badly: the server was lost, and is not started again: it died 2 times in a row");
    // The client's end is still open.
    assert_eq!(served.child.wait().unwrap().code(), Some(6));

    let mut never = Served::start(place.before_fixture(&["--restarts", "0"], "fragile"));
    never.ask(&die(1));
    assert_eq!(never.child.wait().unwrap().code(), Some(6));
}

/// A server that no longer says anything may still be at work: the next is not started before it is gone.
pub(crate) fn one_at_a_time() {
    let place = Place::new(POLICY);
    let (pids, seen) = (place.path("pids"), place.path("seen"));
    // The second one tells whether the first is there, and answers like it.
    let script = format!(
        "if [ -f {pids} ]; then kill -0 $(cat {pids}) 2>/dev/null && echo there > {seen} || echo gone > {seen}; fi; \
         echo $$ > {pids}; read -r line; \
         printf '{{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{{}}}}\\n' \"$(echo \"$line\" | sed 's/.*\"id\":\\([0-9]*\\).*/\\1/')\"; \
         exec >&-; exec sleep 600",
        pids = pids.display(),
        seen = seen.display()
    );
    let mut command = place.gateway(&["--restart-wait", "1", "--drain", "50", "--restarts", "1"]);
    command.args(["--", "sh", "-c", &script]);
    let mut served = Served::over(command.spawn().unwrap());
    let told = served.ask(&call(1, "echo"));
    assert_eq!(told["result"], json!({}));
    served.event("server_restarted");
    let told = served.ask(&call(2, "echo"));
    assert_eq!(told["result"], json!({}));
    served.event("server_given_up");
    assert_eq!(fs::read_to_string(&seen).unwrap().trim(), "gone");
    assert_eq!(served.child.wait().unwrap().code(), Some(6));
}

pub(crate) fn over_http() {
    let place = Place::new(POLICY);
    let fixture = std::env::current_exe().unwrap();
    let server = |name: &str| {
        format!("[servers.{name}]\ncommand = [{:?}, \"--fixture\", \"fragile\"]\n", fixture.to_str().unwrap())
    };
    fs::write(place.path("admin.token"), "a-token-of-people-alone").unwrap();
    let text = "policy = \"policy.json\"\nstate = \"state\"\n[restart]\nwait_ms = 1\n[http]\nlisten = \"127.0.0.1:0\"\n\
                [admin]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"admin.token\"\n[audit]\nfile = \"audit.jsonl\"\n";
    fs::write(place.path("gateway.toml"), text.to_owned() + &server("a") + &server("b")).unwrap();
    let token = run(&["grant", "add", "desk", "--state", place.path("state").to_str().unwrap()]).stdout;
    let token = String::from_utf8(token).unwrap().trim().to_owned();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mcp-gateway"));
    command.arg("--config").arg(place.path("gateway.toml")).stderr(std::process::Stdio::piped());
    let mut listening = Listening::start(command);
    let admin = listening.admin.clone().unwrap();
    let base = listening.url.trim_end_matches("/a").to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = reqwest::Client::new();
        let post = |server: &str, session: Option<&str>, body: Value| {
            let post = client.post(format!("{base}/{server}")).bearer_auth(&token);
            let post = post.header("accept", "application/json, text/event-stream");
            let post = post.header("content-type", "application/json").body(body.to_string());
            match session {
                Some(session) => post.header("mcp-session-id", session),
                None => post,
            }
        };
        let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params":
            {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}});
        let mut sessions = Vec::new();
        for server in ["a", "a", "b"] {
            let opened = post(server, None, hello.clone()).send().await.unwrap();
            let session = opened.headers()["mcp-session-id"].to_str().unwrap().to_owned();
            let told: Value = post(server, Some(&session), call(1, "echo")).send().await.unwrap().json().await.unwrap();
            sessions.push((server, session, self::text(&told).to_owned()));
        }
        let (server, session, first) = &sessions[0];
        let lost: Value = post(server, Some(session), die(2)).send().await.unwrap().json().await.unwrap();
        assert_eq!(lost["result"]["structuredContent"]["reason"], "outcome_unknown", "{lost}");
        // Until the next one is there, nothing is sent and clients are told so.
        let again = loop {
            let told: Value = post(server, Some(session), call(3, "echo")).send().await.unwrap().json().await.unwrap();
            if told["error"]["data"]["reason"] != "server_restarting" {
                break told;
            }
        };
        assert_ne!(self::text(&again), first, "another process answers in the same session");
        for (server, session, first) in &sessions[1..] {
            let told: Value = post(server, Some(session), call(4, "echo")).send().await.unwrap().json().await.unwrap();
            assert_eq!(self::text(&told), first, "the others keep theirs");
        }
        let metrics = client.get(format!("{admin}metrics")).bearer_auth("a-token-of-people-alone");
        let metrics = metrics.send().await.unwrap().text().await.unwrap();
        for name in ["lost", "restarts"] {
            assert!(metrics.contains(&format!("mcp_gateway_upstream_{name}_total{{server=\"a\"}} 1\n")), "{metrics}");
        }
        assert!(!metrics.contains("_total{server=\"b\"} 1\n"), "{metrics}");
    });
    terminate(&listening.child);
    assert_eq!(listening.child.wait().unwrap().code(), Some(0));
    let audit = place.path("audit.jsonl");
    let verified = mcp_gateway::trail::verify(&mcp_gateway::trail::files(&audit).unwrap(), None).unwrap();
    assert!(verified.finding.is_none(), "{verified:?}");
}
