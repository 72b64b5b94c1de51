//! What the command line, the environment and the configuration file come to.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::args::{GatewayArgs, State};
use super::failure::Failure;
use super::file::{self, FileServer, FileTells};

/// Everything that a gateway is started with.
#[derive(Debug)]
pub(super) struct Settings {
    /// What all servers share. Where it speaks of one server, that is told below.
    pub(super) args: GatewayArgs,
    /// The servers behind, at least one.
    pub(super) servers: Vec<ServerSettings>,
    /// Whether they stand in the file, each with a name fit for an address.
    pub(super) are_named: bool,
    /// The policies of grants that have one of their own by the file, by the grant's name.
    pub(super) grants: BTreeMap<String, PathBuf>,
}

/// One server, and what is held in front of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServerSettings {
    /// Its name in the audit, in approvals and in the state folder.
    pub(super) name: String,
    pub(super) policy: PathBuf,
    pub(super) pins: Option<PathBuf>,
    /// Where it is; nothing if all that is wanted is a check.
    pub(super) behind: Option<Behind>,
}

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Behind {
    /// A program with its arguments.
    Command(Vec<OsString>),
    /// An address.
    Url {
        url: String,
        token_file: Option<PathBuf>,
        /// The authorities by which it has to prove who it is, in place of the system's.
        ca_file: Option<PathBuf>,
    },
}

/// The settings that speak of one server, and their flags.
const OF_ONE_SERVER: [(&str, &str); 6] = [
    ("policy", "--policy"),
    ("pins", "--pins"),
    ("upstream", "--upstream"),
    ("upstream_token_file", "--upstream-token-file"),
    ("upstream_ca", "--upstream-ca"),
    ("command", "a command after `--`"),
];

impl Settings {
    /// Puts them together; `given` knows which settings the command line or the environment has.
    pub(super) fn of(mut args: GatewayArgs, given: &dyn Fn(&str) -> bool) -> Result<Self, Failure> {
        let FileTells { servers: named, grants } = match args.config.clone() {
            None => FileTells::default(),
            Some(path) => file::lay_under(&path, &mut args, given)?,
        };
        check(&args, given)?;
        let are_named = !named.is_empty();
        let servers = if are_named { chosen(&args, given, named)? } else { vec![only(&args)?] };
        Ok(Self { args, servers, are_named, grants })
    }
}

impl State {
    /// The folder that was given, or that the configuration file names.
    pub(super) fn folder(&self) -> Result<PathBuf, Failure> {
        match (&self.folder, &self.config) {
            (Some(folder), _) => Ok(folder.clone()),
            (None, Some(file)) => file::settings_of(file)?
                .state
                .ok_or_else(|| usage("the file names no state folder: give `--state DIR`")),
            (None, None) => Err(usage("there is no state folder: give `--state DIR` or `--config FILE`")),
        }
    }
}

/// The file of the kill switch that was given, or that the configuration file names.
pub(super) fn kill_file(given: Option<&Path>, config: Option<&Path>) -> Result<PathBuf, Failure> {
    match (given, config) {
        (Some(file), _) => Ok(file.to_owned()),
        (None, Some(config)) => file::settings_of(config)?
            .kill_file
            .ok_or_else(|| usage("the file names no kill switch: give `--kill-file FILE`")),
        (None, None) => Err(usage("there is no kill switch: give `--kill-file FILE` or `--config FILE`")),
    }
}

fn usage(text: impl Into<String>) -> Failure {
    Failure::Usage(text.into())
}

/// What goes only together.
fn check(args: &GatewayArgs, given: &dyn Fn(&str) -> bool) -> Result<(), Failure> {
    if args.listen.is_some() && args.state.is_none() {
        return Err(usage("a listener needs the grants of a state folder: give `--state DIR`, or `state` in the file"));
    }
    let of_listener = !args.allow_origin.is_empty() || args.plain_text_beyond_this_machine;
    let of_either = !args.allow_host.is_empty() && args.admin.is_none();
    if args.listen.is_none() && (of_listener || of_either) {
        return Err(usage(
            "who may call a listener is told, and there is none: give `--listen ADDRESS`, or `listen` in `[http]`",
        ));
    }
    if args.approval_webhook.is_some() && args.state.is_none() {
        return Err(usage(
            "nobody is asked for approval without a state folder: give `--state DIR`, or leave the approval webhook out",
        ));
    }
    if args.approval_webhook.is_none()
        && (args.approval_webhook_secret_file.is_some() || args.approval_webhook_plain_text)
    {
        return Err(usage("there is a secret for an approval webhook, and no address: give `--approval-webhook URL`"));
    }
    #[cfg(feature = "tls")]
    check_tls(args)?;
    match (args.admin, &args.admin_token_file) {
        (Some(_), None) => {
            Err(usage("the admin page needs a token: give `--admin-token-file FILE`, or `token_file` in `[admin]`"))
        }
        (None, Some(_)) => Err(usage(
            "there is a token for an admin page, and no page: give `--admin ADDRESS`, or `listen` in `[admin]`",
        )),
        _ => Ok(()),
    }?;
    #[cfg(feature = "redis")]
    if args.shared_store.is_none() && (args.shared_store_password_file.is_some() || given("shared_store_timeout")) {
        return Err(usage(
            "there is something about a shared store, and no store: give `--shared-store URL`, or `url` in `[shared_store]`",
        ));
    }
    #[cfg(not(feature = "redis"))]
    let _ = given;
    Ok(())
}

#[cfg(feature = "tls")]
fn check_tls(args: &GatewayArgs) -> Result<(), Failure> {
    match (&args.tls_cert, &args.tls_key) {
        (None, None) => return Ok(()),
        (Some(_), None) => {
            return Err(usage("a certificate needs its key: give `--tls-key FILE`, or `key_file` in `[tls]`"));
        }
        (None, Some(_)) => {
            return Err(usage("there is a key of no certificate: give `--tls-cert FILE`, or `cert_file` in `[tls]`"));
        }
        (Some(_), Some(_)) => {}
    }
    if args.listen.is_none() && args.admin.is_none() {
        return Err(usage(
            "there is a certificate, and nobody to show it to: give `--listen ADDRESS` or `--admin ADDRESS`, or `listen` \
             in `[http]` or `[admin]`",
        ));
    }
    if args.plain_text_beyond_this_machine {
        return Err(usage(
            "with a certificate nothing goes in the clear: leave out `--plain-text-beyond-this-machine`, or the \
             certificate",
        ));
    }
    Ok(())
}

/// The server of the command line.
fn only(args: &GatewayArgs) -> Result<ServerSettings, Failure> {
    let behind = behind(args, &FileServer::default())?;
    let name = args.server.clone().unwrap_or_else(|| match &behind {
        Some(Behind::Url { url, .. }) => url.clone(),
        Some(Behind::Command(command)) => {
            let program = command.first().map(Path::new).and_then(Path::file_name);
            program.unwrap_or_default().to_string_lossy().into_owned()
        }
        None => String::new(),
    });
    of(args, name, FileServer::default(), behind)
}

/// The servers of the file, or the one of them that was chosen.
fn chosen(
    args: &GatewayArgs,
    given: &dyn Fn(&str) -> bool,
    mut servers: BTreeMap<String, FileServer>,
) -> Result<Vec<ServerSettings>, Failure> {
    let names = servers.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if let Some(name) = &args.server {
        let server = servers.remove(name).ok_or_else(|| {
            usage(format!("the file has no server of the name that `--server` gives: it has {names}"))
        })?;
        servers = BTreeMap::from([(name.clone(), server)]);
    }
    if servers.len() > 1 {
        let one = OF_ONE_SERVER.iter().find(|(name, _)| given(name));
        if let Some((_, flag)) = one {
            return Err(usage(format!(
                "{flag} is for one server, and the file has {names}: choose with `--server NAME`"
            )));
        }
        if !args.check && args.listen.is_none() {
            return Err(usage(format!(
                "one server is spoken to over standard streams, and the file has {names}: choose with `--server NAME`"
            )));
        }
    }
    let settings = |(name, server): (String, FileServer)| {
        // What was given goes before what the file says of the server.
        let server = FileServer {
            policy: if given("policy") { None } else { server.policy },
            pins: if given("pins") { args.pins.clone() } else { server.pins },
            ..server
        };
        let behind = behind(args, &server)?;
        of(args, name, server, behind)
    };
    servers.into_iter().map(settings).collect()
}

fn of(args: &GatewayArgs, name: String, server: FileServer, behind: Option<Behind>) -> Result<ServerSettings, Failure> {
    let whose = if name.is_empty() { String::new() } else { format!("`{name}`: ") };
    if behind.is_none() && !args.check {
        return Err(usage(format!(
            "{whose}there is no server: give its command after `--` or its address with `--upstream`, or in the file \
             `command` or `url` of a `[servers.NAME]`"
        )));
    }
    let policy = server.policy.or_else(|| args.policy.clone());
    let policy = policy
        .ok_or_else(|| usage(format!("{whose}there is no policy: give `--policy FILE`, or `policy` in the file")))?;
    let pins = server.pins.or_else(|| args.pins.clone());
    Ok(ServerSettings { name, policy, pins, behind })
}

/// Where a server is: what the command line says goes before the file.
fn behind(args: &GatewayArgs, server: &FileServer) -> Result<Option<Behind>, Failure> {
    if !args.command.is_empty() {
        return Ok(Some(Behind::Command(args.command.clone())));
    }
    if let Some(url) = args.upstream.clone() {
        // The token and the authorities of the file are for the address of the file.
        let (token_file, ca_file) = (args.upstream_token_file.clone(), upstream_ca(args));
        return Ok(Some(Behind::Url { url, token_file, ca_file }));
    }
    if let Some(url) = server.url.clone() {
        let token_file = args.upstream_token_file.clone().or_else(|| server.token_file.clone());
        let ca_file = upstream_ca(args).or_else(|| server.ca_file.clone());
        return Ok(Some(Behind::Url { url, token_file, ca_file }));
    }
    if args.upstream_token_file.is_some() {
        return Err(usage("there is a token for a server at an address, and no address: give `--upstream URL`"));
    }
    if upstream_ca(args).is_some() {
        return Err(usage("there are authorities for a server at an address, and no address: give `--upstream URL`"));
    }
    Ok((!server.command.is_empty()).then(|| Behind::Command(server.command.clone())))
}

#[cfg(feature = "tls")]
fn upstream_ca(args: &GatewayArgs) -> Option<PathBuf> {
    args.upstream_ca.clone()
}

#[cfg(not(feature = "tls"))]
fn upstream_ca(_: &GatewayArgs) -> Option<PathBuf> {
    None
}
