//! `mcp-gateway init`: the configuration of an MCP client with the gateway in front of its servers.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use mcp_policy::strict::{self, Limits};
use serde_json::{Map, Value, json};

use super::args::Init;
use super::failure::Failure;
use super::setup;

/// Under which key a client keeps its servers.
const LISTS: [&str; 2] = ["mcpServers", "servers"];

pub(super) fn init(args: &Init) -> Result<(), Failure> {
    let absolute = |path: &Path| {
        std::path::absolute(path).map_err(|error| Failure::Init(format!("`{}`: {error}", path.display())))
    };
    setup::read_policy(&args.policy)?;
    let text = std::fs::read_to_string(&args.config)
        .map_err(|error| Failure::Init(format!("cannot read `{}`: {error}", args.config.display())))?;
    let gateway = match &args.gateway {
        Some(path) => path.clone(),
        // A client that a desktop starts does not know the paths of a shell.
        None => std::env::current_exe().map_err(|error| Failure::Init(format!("where is this command? {error}")))?,
    };
    let mut tokens = BTreeMap::new();
    for given in &args.upstream_token_file {
        let (name, file) = given.split_once('=').ok_or_else(|| {
            Failure::Init(format!("`{given}` names no server: write `--upstream-token-file NAME=FILE`"))
        })?;
        tokens.insert(name.to_owned(), absolute(Path::new(file))?);
    }
    let guarding = Guarding {
        gateway,
        policy: absolute(&args.policy)?,
        audit: absolute(&args.audit)?,
        state: args.state.as_deref().map(absolute).transpose()?,
        only: args.only.clone(),
        tokens,
    };
    let wrong = |words: String| Failure::Init(format!("`{}`: {words}", args.config.display()));
    let (config, told) = guarding.apply(&text).map_err(wrong)?;
    let mut stderr = io::stderr().lock();
    for line in told {
        let _ = writeln!(stderr, "{line}");
    }
    let text = serde_json::to_string_pretty(&config).map_err(|error| Failure::Output(error.into()))?;
    match &args.out {
        None => writeln!(io::stdout().lock(), "{text}").map_err(Failure::Output),
        Some(path) => {
            // What a client gives its servers is secret, and so is a copy of it. One that is there is somebody's.
            let mut options = std::fs::OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let written = options.open(path).and_then(|mut file| writeln!(file, "{text}"));
            written.map_err(|error| Failure::Init(format!("cannot write `{}`: {error}", path.display())))
        }
    }
}

/// How servers are to be guarded.
struct Guarding {
    gateway: PathBuf,
    policy: PathBuf,
    /// The folder of the audits, one file for each server.
    audit: PathBuf,
    /// The folder of the states, one folder for each server.
    state: Option<PathBuf>,
    /// Which; all if none are named.
    only: Vec<String>,
    /// Files with the tokens of servers behind HTTP.
    tokens: BTreeMap<String, PathBuf>,
}

impl Guarding {
    /// The same configuration with the gateway in front of its servers, and what was done with each. Whole or not at all.
    fn apply(&self, text: &str) -> Result<(Value, Vec<String>), String> {
        // Read as the gateway reads frames: of two keys of one name a client may take either.
        let mut config = strict::parse(text.as_bytes(), Limits::default()).map_err(|error| error.to_string())?;
        let list = LISTS.iter().find(|key| config.get(**key).is_some_and(Value::is_object));
        let list =
            list.ok_or("there are no servers under `mcpServers` or `servers`: is this a client's configuration?")?;
        let servers = config.get_mut(*list).and_then(Value::as_object_mut).ok_or("there are no servers")?;
        for name in self.only.iter().chain(self.tokens.keys()) {
            if !servers.contains_key(name) {
                let known: Vec<&str> = servers.keys().map(String::as_str).collect();
                return Err(format!("there is no server `{name}`: there are {}", known.join(", ")));
            }
        }
        let mut told = Vec::new();
        for (name, server) in servers.iter_mut() {
            if !self.only.is_empty() && !self.only.contains(name) {
                told.push(format!("{name}: left as it is, NOT guarded"));
                continue;
            }
            let entry = server.as_object().ok_or_else(|| format!("the server `{name}` is no object"))?;
            if entry.get("command").and_then(Value::as_str).map(Path::new).and_then(Path::file_name)
                == self.gateway.file_name().or(Some(OsStr::new("mcp-gateway")))
            {
                told.push(format!("{name}: guarded already"));
                continue;
            }
            *server = Value::Object(self.guarded(name, entry)?);
            told.push(format!("{name}: guarded by {}", self.policy.display()));
        }
        Ok((config, told))
    }

    fn guarded(&self, name: &str, entry: &Map<String, Value>) -> Result<Map<String, Value>, String> {
        if name.is_empty() || name.contains(['/', '\\', '\0']) || name.starts_with('.') {
            return Err(format!("the server `{name}` cannot have files of its name: give it another"));
        }
        let mut words: Vec<Value> = Vec::new();
        add(&mut words, "--policy", &self.policy);
        add(&mut words, "--audit", &self.audit.join(format!("{name}.jsonl")));
        if let Some(state) = &self.state {
            add(&mut words, "--state", &state.join(name));
        }
        add(&mut words, "--server", Path::new(name));
        let mut guarded = entry.clone();
        match (entry.get("command"), entry.get("url")) {
            (Some(Value::String(command)), None) => {
                words.push("--".into());
                words.push(command.as_str().into());
                match entry.get("args") {
                    None => {}
                    Some(Value::Array(more)) if more.iter().all(Value::is_string) => words.extend(more.iter().cloned()),
                    Some(_) => return Err(format!("`args` of the server `{name}` is no list of strings")),
                }
            }
            (None, Some(Value::String(url))) => {
                let headers = entry.get("headers").and_then(Value::as_object);
                let bearer_alone = headers
                    .is_none_or(|headers| headers.keys().all(|header| header.eq_ignore_ascii_case("authorization")));
                let token = self.tokens.get(name);
                if !bearer_alone || (headers.is_some_and(|headers| !headers.is_empty()) && token.is_none()) {
                    return Err(format!(
                        "the server `{name}` wants headers, and the gateway sends a bearer token and no more: write the \
                         token into a file that no agent can read and add `--upstream-token-file {name}=FILE`"
                    ));
                }
                add(&mut words, "--upstream", Path::new(url));
                if let Some(file) = token {
                    add(&mut words, "--upstream-token-file", file);
                }
                for gone in ["url", "type", "transport", "headers"] {
                    guarded.shift_remove(gone);
                }
            }
            _ => return Err(format!("the server `{name}` has neither a `command` nor a `url`, or both")),
        }
        guarded.insert("command".to_owned(), self.gateway.to_string_lossy().into());
        guarded.insert("args".to_owned(), Value::Array(words));
        if guarded.get("type").is_some() {
            guarded.insert("type".to_owned(), json!("stdio"));
        }
        Ok(guarded)
    }
}

fn add(words: &mut Vec<Value>, flag: &str, value: &Path) {
    words.push(flag.into());
    words.push(value.to_string_lossy().into());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guarding() -> Guarding {
        Guarding {
            gateway: "/bin/mcp-gateway".into(),
            policy: "/p.json".into(),
            audit: "/audits".into(),
            state: None,
            only: Vec::new(),
            tokens: BTreeMap::new(),
        }
    }

    #[track_caller]
    fn refused(guarding: &Guarding, config: &Value, words: &str) {
        let error = guarding.apply(&config.to_string()).unwrap_err();
        assert!(error.contains(words), "{error}");
    }

    #[test]
    fn a_command_is_started_by_the_gateway_and_nothing_else_changes() {
        let config = json!({ "theme": "dark", "mcpServers": {
            "binance": { "command": "binance-mcp", "args": ["--x"], "env": { "KEY": "v" }, "disabled": false },
            "time": { "command": "mcp-server-time" } } });
        let (config, told) =
            Guarding { state: Some("/states".into()), ..guarding() }.apply(&config.to_string()).unwrap();
        assert_eq!(config["theme"], "dark");
        let binance = &config["mcpServers"]["binance"];
        assert_eq!(
            *binance,
            json!({ "command": "/bin/mcp-gateway",
                    "args": ["--policy", "/p.json", "--audit", "/audits/binance.jsonl", "--state", "/states/binance",
                             "--server", "binance", "--", "binance-mcp", "--x"],
                    "env": { "KEY": "v" }, "disabled": false })
        );
        assert_eq!(config["mcpServers"]["time"]["args"][8], "--");
        assert_eq!(told.len(), 2);
        // Once is enough.
        let (again, told) = guarding().apply(&config.to_string()).unwrap();
        assert_eq!(again, config);
        assert!(told.iter().all(|line| line.ends_with("guarded already")), "{told:?}");
    }

    #[test]
    fn a_server_behind_http_is_reached_by_the_gateway() {
        let entry =
            json!({ "type": "http", "url": "http://127.0.0.1:9/mcp", "headers": { "authorization": "Bearer s3cret" } });
        let config = json!({ "servers": { "far": entry } });
        refused(&guarding(), &config, "--upstream-token-file far=FILE");
        let tokens = BTreeMap::from([("far".to_owned(), PathBuf::from("/token"))]);
        let (config, _) = Guarding { tokens, ..guarding() }.apply(&config.to_string()).unwrap();
        assert_eq!(
            config["servers"]["far"],
            json!({ "command": "/bin/mcp-gateway",
                    "args": ["--policy", "/p.json", "--audit", "/audits/far.jsonl", "--server", "far",
                             "--upstream", "http://127.0.0.1:9/mcp", "--upstream-token-file", "/token"] })
        );
        let other = json!({ "servers": { "far": { "url": "http://127.0.0.1:9", "headers": { "X-Key": "k" } } } });
        let tokens = BTreeMap::from([("far".to_owned(), PathBuf::from("/token"))]);
        refused(&Guarding { tokens, ..guarding() }, &other, "a bearer token and no more");
    }

    #[test]
    fn what_is_not_understood_is_refused_whole() {
        let of = |server: Value| json!({ "mcpServers": { "a": { "command": "fine" }, "b": server } });
        refused(&guarding(), &json!({ "other": {} }), "no servers under");
        refused(&guarding(), &of(json!({})), "neither a `command` nor a `url`");
        refused(&guarding(), &of(json!({ "command": "x", "url": "y" })), "or both");
        refused(&guarding(), &of(json!({ "command": "x", "args": [1] })), "no list of strings");
        refused(&guarding(), &of(json!([])), "is no object");
        refused(&guarding(), &json!({ "mcpServers": { "../a": { "command": "x" } } }), "give it another");
        refused(
            &Guarding { only: vec!["c".to_owned()], ..guarding() },
            &of(json!({ "command": "x" })),
            "there are a, b",
        );
        let twice = r#"{ "mcpServers": { "a": { "command": "x" }, "a": { "command": "y" } } }"#;
        assert!(guarding().apply(twice).unwrap_err().contains("line 1"));
    }

    #[test]
    fn others_are_left_and_that_is_told() {
        let config = json!({ "mcpServers": { "a": { "command": "x" }, "b": { "command": "y" } } });
        let (guarded, told) = Guarding { only: vec!["a".to_owned()], ..guarding() }.apply(&config.to_string()).unwrap();
        assert_eq!(guarded["mcpServers"]["b"], config["mcpServers"]["b"]);
        assert!(told.iter().any(|line| line == "b: left as it is, NOT guarded"), "{told:?}");
    }
}
