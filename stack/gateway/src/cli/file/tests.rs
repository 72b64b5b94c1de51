//! What a file may say, and how it is told what it may not.

use std::cell::RefCell;
use std::collections::BTreeSet;

use clap::{CommandFactory as _, FromArgMatches as _};

use super::*;
use crate::cli::args::Args;
use crate::cli::settings::{Behind, Settings};

const EXAMPLE: &str = include_str!("../../../mcp-gateway.example.toml");

fn defaults() -> GatewayArgs {
    let matches = Args::command().try_get_matches_from(["mcp-gateway", "--config", "x.toml"]).unwrap();
    Args::from_arg_matches(&matches).unwrap().gateway
}

fn told(text: &str) -> Result<(GatewayArgs, FileTells), String> {
    let mut args = defaults();
    let told = read(Path::new("/etc/desk/gateway.toml"), text, &mut args, &|_| false);
    told.map(|told| (args, told)).map_err(|bad| bad.to_string())
}

/// What `lines` of a file are told, without the path.
fn wrong(text: &str) -> String {
    told(text).map(drop).unwrap_err().replace("/etc/desk/gateway.toml: ", "")
}

#[test]
fn the_example_says_everything_that_flags_say() {
    let said = RefCell::new(BTreeSet::new());
    let mut args = defaults();
    // With the server that stands there in comments.
    let text = EXAMPLE.replace("# [servers", "[servers").replace("# url", "url").replace("# token_file", "token_file");
    let text = text.replace("# [tls", "[tls").replace("# cert_file", "cert_file").replace("# key_file", "key_file");
    let text = text.replace("# ca_file", "ca_file");
    let text = text.replace("# [grants", "[grants").replace("# policy = \"desk", "policy = \"desk");
    let text = text.replace("# [grants", "[grants").replace("# policy = \"desk", "policy = \"desk");
    let noted = |name: &str| {
        said.borrow_mut().insert(name.to_owned());
        false
    };
    let told = read(Path::new("mcp-gateway.toml"), &text, &mut args, &noted).unwrap();
    let mut said = said.into_inner();
    assert_eq!(told.grants["desk"], Path::new("desk.json"));
    for (name, server) in told.servers {
        said.insert("server".to_owned());
        assert!(["binance", "news"].contains(&name.as_str()));
        for (setting, is_there) in [
            ("command", !server.command.is_empty()),
            ("upstream", server.url.is_some()),
            ("upstream_token_file", server.token_file.is_some()),
            ("upstream_ca", server.ca_file.is_some()),
            ("policy", server.policy.is_some()),
            ("pins", server.pins.is_some()),
        ] {
            if is_there {
                said.insert(setting.to_owned());
            }
        }
    }
    let command = Args::command();
    let flags: BTreeSet<String> = command
        .get_arguments()
        .map(|arg| arg.get_id().to_string())
        // What these say is not a setting.
        .filter(|id| !["config", "check", "help", "version"].contains(&id.as_str()))
        .collect();
    assert_eq!(said, flags);
}

#[test]
fn the_example_tells_the_defaults() {
    let (args, _) = told(EXAMPLE).unwrap();
    let usual = defaults();
    assert_eq!(
        (args.durability, args.approval_window, args.max_in_flight, args.max_frame, args.drain),
        (usual.durability, usual.approval_window, usual.max_in_flight, usual.max_frame, usual.drain)
    );
    assert_eq!(
        (args.grant, args.log, args.audit_rotate, args.audit_sync, args.max_sessions),
        (usual.grant, usual.log, usual.audit_rotate, usual.audit_sync, usual.max_sessions)
    );
    assert_eq!(
        (args.restarts, args.restart_wait, args.restart_wait_max, args.restart_holds, args.restart_handshake),
        (usual.restarts, usual.restart_wait, usual.restart_wait_max, usual.restart_holds, usual.restart_handshake)
    );
    let limits = mcp_gateway::RestartLimits::default();
    assert_eq!(
        (usual.restarts, usual.restart_wait, usual.restart_wait_max, usual.restart_holds, usual.restart_handshake),
        (limits.max, limits.wait_ms, limits.wait_max_ms, limits.holds_ms, limits.handshake_ms)
    );
}

#[test]
fn every_key_stands_in_the_page_about_it() {
    let page = include_str!("../../../../../docs/configuration.md");
    for line in EXAMPLE.lines().map(|line| line.trim_start_matches("# ")) {
        if let Some((key, _)) = line.split_once(" = ") {
            assert!(page.contains(&format!("`{key}`")), "{key}");
        }
    }
    let block = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    told(block).unwrap();
}

#[test]
fn paths_are_from_the_folder_of_the_file() {
    let (args, mut told) = told(
        "state = \"state\"\nkill_file = \"/run/halt\"\n[audit]\nfile = \"../audit.jsonl\"\n\
         [servers.a]\ncommand = [\"bin/server\", \"x/y\"]\n[servers.b]\ncommand = [\"server\"]\n",
    )
    .unwrap();
    assert_eq!(args.state, Some("/etc/desk/state".into()));
    assert_eq!(args.kill_file, Some("/run/halt".into()));
    assert_eq!(args.audit, PathBuf::from("/etc/desk/../audit.jsonl"));
    // What a program is given is its own affair, and a bare name is looked for in `PATH`.
    assert_eq!(told.servers.remove("a").unwrap().command, ["/etc/desk/bin/server", "x/y"]);
    assert_eq!(told.servers.remove("b").unwrap().command, ["server"]);
}

#[test]
fn an_error_names_the_place_the_key_and_the_remedy() {
    for (text, expected) in [
        ("polcy = \"a\"", "line 1, column 1: `polcy`: unknown key; did you mean `policy`?"),
        (
            "\n[servers.a]\n  polcy = \"a\"\n",
            "line 3, column 3: `servers.a.polcy`: unknown key; did you mean `policy`?",
        ),
        (
            "[audit]\nzzzzzzz = 1",
            "line 2, column 1: `audit.zzzzzzz`: unknown key; there are `file`, `rotate_bytes`, `sync`, `key_file`",
        ),
        ("[audit]\nsync = \"yes\"", "line 2, column 8: `audit.sync`: this is no switch: write `true` or `false`"),
        (
            "grant = \"\u{e9}\"\nmax_in_flight = \"7\"",
            "line 2, column 17: `max_in_flight`: this is no whole number of at least 1, without quotation marks",
        ),
        (
            "max_in_flight = 0",
            "line 1, column 17: `max_in_flight`: this is no whole number of at least 1, without quotation marks",
        ),
        (
            "durability = \"disk\"",
            "line 1, column 14: `durability`: this is no word that is known here: write `\"power\"` or `\"process\"`",
        ),
        ("audit = \"a\"", "line 1, column 9: `audit`: this is no table: write it as `[TABLE]` on a line of its own"),
        (
            "[http]\nlisten = \"8700\"",
            "line 2, column 10: `http.listen`: this is no address: write it as `\"127.0.0.1:8700\"`",
        ),
        (
            "state = \"\"",
            "line 1, column 9: `state`: this is no path: write it in quotation marks, from the folder of this file",
        ),
        (
            "[servers]\na = 1",
            "line 2, column 5: `servers.a`: this is no table: write `[servers.a]` on a line of its own",
        ),
        (
            "[servers.\"a/b\"]\nurl = \"x\"",
            "line 1, column 10: `servers.a/b`: this is no name: use 1 to 64 letters, digits, `.`, `_` and `-`",
        ),
        ("[grants.desk]\n", "line 1, column 2: `grants`: `desk` has no `policy`: write `policy = \"FILE\"`"),
        (
            "[grants.desk]\npolicy = \"a\"\ntoken = \"x\"",
            "line 3, column 1: `grants.desk.token`: unknown key; no secret stands in this file",
        ),
        (
            "[servers.a]\ncommand = []",
            "line 2, column 11: `servers.a.command`: there is no program: write `[\"PROGRAM\", \"ARGUMENT\"]`",
        ),
        (
            "[servers.a]\ncommand = [\"a\"]\nurl = \"http://x\"",
            "line 3, column 7: `servers.a.url`: the server has a `command` as well: leave one of them out",
        ),
        (
            "[servers.a]\ncommand = [\"a\"]\ntoken_file = \"t\"",
            "line 3, column 14: `servers.a.token_file`: only a server at a `url` is told a token: leave it out",
        ),
        (
            "[servers.a]\ncommand = [\"a\"]\nca_file = \"t\"",
            "line 3, column 11: `servers.a.ca_file`: only a server at a `url` proves who it is: leave it out",
        ),
        ("[shared_store]\ntimeout_ms = 5", "line 1, column 1: `shared_store`: there is no `url` in it"),
    ] {
        assert_eq!(wrong(text), expected, "{text}");
    }
    assert!(wrong("a = \"b").starts_with("line 1, column "), "{}", wrong("a = \"b"));
    assert!(wrong("state = \"a\"\nstate = \"b\"").contains("duplicate key"));
    // Everything at once, in the order of the file.
    let all = wrong("sate = \"a\"\nlog = 1\n[audit]\nfil = \"b\"\n");
    let keys: Vec<&str> = all.lines().map(|line| line.split('`').nth(1).unwrap()).collect();
    assert_eq!(keys, ["sate", "log", "audit.fil"]);
}

#[test]
fn secrets_do_not_stand_in_the_file_and_are_not_repeated() {
    for (text, remedy) in [
        ("[admin]\ntoken = \"canary\"", "name that with `token_file`"),
        ("[shared_store]\nurl = \"redis://h/0\"\npassword = \"canary\"", "name that with `password_file`"),
        ("[servers.a]\nurl = \"http://h\"\nbearer_token = \"canary\"", "name that with `token_file`"),
        ("[audit]\nkey = \"canary-of-sixteen\"", "name that with `key_file`"),
        ("secret = \"canary\"", "no secret stands in this file"),
        ("state = 0x1canary", "line 1"),
        ("max_in_flight = \"canary\"", "whole number"),
        ("durability = \"canary\"", "`\"power\"`"),
        ("[http]\nlisten = \"canary\"", "address"),
    ] {
        let told = wrong(text);
        assert!(told.contains(remedy) && !told.contains("canary"), "{told}");
    }
}

/// What a command line comes to over a file.
fn settings(flags: &[&str], text: &str) -> Result<Settings, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.toml");
    std::fs::write(&path, text).unwrap();
    let line = [&["mcp-gateway", "--config", path.to_str().unwrap()], flags].concat();
    let matches = Args::command().try_get_matches_from(line).map_err(|error| error.to_string())?;
    let args = Args::from_arg_matches(&matches).unwrap().gateway;
    let given = |name: &str| matches.value_source(name) == Some(clap::parser::ValueSource::CommandLine);
    Settings::of(args, &given).map_err(|failure| {
        assert_eq!(failure.exit_code(), 2, "{failure}");
        failure.to_string()
    })
}

const TWO: &str = "policy = \"shared.json\"\n[servers.a]\nurl = \"https://a/mcp\"\ntoken_file = \"a.token\"\nca_file = \"a.crt\"\n\
                   [servers.b]\ncommand = [\"b\"]\npolicy = \"b.json\"\npins = \"b.pins\"\n";

#[test]
fn what_is_given_goes_before_the_file_and_the_file_before_defaults() {
    let of =
        |flags: &[&str]| settings(flags, "drain_ms = 7\n[servers.a]\ncommand = [\"a\"]\npolicy = \"p\"\n").unwrap();
    assert_eq!(of(&[]).args.drain, 7);
    // A flag that repeats the default is a flag.
    assert_eq!(of(&["--drain", "5000"]).args.drain, 5000);
    assert_eq!(of(&[]).args.max_in_flight, 1024);
    let over = of(&["--policy", "q", "--pins", "r", "--", "c", "d"]);
    let server = over.servers.first().unwrap();
    assert_eq!((server.policy.as_path(), server.pins.as_deref()), (Path::new("q"), Some(Path::new("r"))));
    assert!(matches!(&server.behind, Some(Behind::Command(command)) if command == &["c", "d"]));
    assert_eq!(server.name, "a", "it is still the server of the file");
}

#[test]
fn a_token_of_the_file_is_for_the_address_of_the_file() {
    let name = |path: Option<PathBuf>| path.map(|path| path.file_name().unwrap().to_owned());
    let url = |flags: &[&str]| match settings(flags, TWO).unwrap().servers.remove(0).behind {
        Some(Behind::Url { url, token_file, ca_file }) => (url, name(token_file), name(ca_file)),
        other => panic!("{other:?}"),
    };
    assert_eq!(url(&["--server", "a"]), ("https://a/mcp".to_owned(), Some("a.token".into()), Some("a.crt".into())));
    assert_eq!(url(&["--server", "a", "--upstream", "http://c"]), ("http://c".to_owned(), None, None));
    let given = url(&["--server", "a", "--upstream", "https://c", "--upstream-ca", "c.crt"]);
    assert_eq!(given, ("https://c".to_owned(), None, Some("c.crt".into())));
}

#[test]
fn one_of_several_servers_is_chosen_by_name() {
    let chosen = settings(&["--server", "b"], TWO).unwrap();
    let server = chosen.servers.first().unwrap();
    assert_eq!((chosen.servers.len(), server.name.as_str()), (1, "b"));
    assert!(server.policy.ends_with("b.json") && server.pins.as_ref().unwrap().ends_with("b.pins"));
    let other = settings(&["--server", "a"], TWO).unwrap();
    assert!(other.servers.first().unwrap().policy.ends_with("shared.json"), "what all servers share");
    for (flags, expected) in [
        (&["--server", "c"][..], "it has `a`, `b`"),
        (&[], "choose with `--server NAME`"),
        (&["--pins", "p"], "`a`, `b`: choose"),
        (&["--check", "--policy", "p"], "--policy is for one server"),
    ] {
        let told = settings(flags, TWO).unwrap_err();
        assert!(told.contains(expected), "{flags:?}: {told}");
    }
    assert_eq!(settings(&["--check"], TWO).unwrap().servers.len(), 2);
    let listens = ["--listen", "127.0.0.1:0", "--state", "s"];
    assert_eq!(settings(&listens, TWO).unwrap().servers.len(), 2, "over HTTP there is a path for each");
}

#[test]
fn what_goes_only_together_is_asked_for_wherever_it_stands() {
    let file = "policy = \"p\"\n[servers.a]\ncommand = [\"a\"]\n";
    let told = |flags: &[&str], more: &str| settings(flags, &format!("{more}{file}")).map(drop);
    let in_file = |more: &str| settings(&[], &format!("{file}{more}")).map(drop);
    assert_eq!(told(&[], ""), Ok(()));
    for (refused, remedy) in [
        (in_file("[http]\nlisten = \"127.0.0.1:0\""), "--state"),
        (told(&["--listen", "127.0.0.1:0"], ""), "--state"),
        (in_file("[http]\nallow_hosts = [\"a\"]"), "--listen"),
        (told(&["--allow-origin", "a"], ""), "--listen"),
        (told(&["--plain-text-beyond-this-machine"], ""), "--listen"),
        (in_file("[admin]\nlisten = \"127.0.0.1:0\""), "--admin-token-file"),
        (told(&["--admin-token-file", "a"], ""), "--admin ADDRESS"),
        (told(&["--upstream-token-file", "a"], ""), "--upstream"),
        (told(&["--upstream-ca", "a"], ""), "--upstream"),
        (in_file("[tls]\ncert_file = \"a\""), "--tls-key"),
        (in_file("[tls]\nkey_file = \"a\""), "--tls-cert"),
        (in_file("[tls]\ncert_file = \"a\"\nkey_file = \"b\""), "--listen"),
    ] {
        let refused = refused.unwrap_err();
        assert!(refused.contains(remedy), "{refused}");
    }
    assert_eq!(told(&["--listen", "127.0.0.1:0"], "state = \"s\"\n"), Ok(()), "one here, one there");
    #[cfg(feature = "redis")]
    assert!(told(&["--shared-store-timeout", "5"], "").unwrap_err().contains("--shared-store URL"));
    assert!(settings(&[], "state = \"s\"\n").unwrap_err().contains("there is no server"));
    assert!(settings(&[], "[servers.a]\ncommand = [\"a\"]\n").unwrap_err().contains("`a`: there is no policy"));
}
