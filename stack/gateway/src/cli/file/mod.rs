//! The configuration file: everything that flags say, and what they cannot.
//!
//! A setting of the command line, or of its variable in the environment, goes before one of the file, and that before
//! the default. Paths are from the folder of the file.

mod section;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{CommandFactory as _, FromArgMatches as _};

use super::args::{Args, GatewayArgs};
use super::failure::Failure;
pub(super) use section::BadConfig;
use section::{Reader, Section};

/// A server as the file has it.
#[derive(Debug, Default)]
pub(super) struct FileServer {
    pub(super) command: Vec<OsString>,
    pub(super) url: Option<String>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) policy: Option<PathBuf>,
    pub(super) pins: Option<PathBuf>,
}

/// The servers of a file by their names.
pub(super) type FileServers = BTreeMap<String, FileServer>;

/// What a file tells that flags cannot say.
#[derive(Debug, Default)]
pub(super) struct FileTells {
    pub(super) servers: FileServers,
    /// The policies of grants that have one of their own, by the grant's name.
    pub(super) grants: BTreeMap<String, PathBuf>,
}

/// Reads the file at `path`, and lays it under the settings of which `given` does not know that they were given. What
/// flags cannot say is returned.
pub(super) fn lay_under(
    path: &Path,
    args: &mut GatewayArgs,
    given: &dyn Fn(&str) -> bool,
) -> Result<FileTells, Failure> {
    let text =
        std::fs::read_to_string(path).map_err(|source| Failure::ConfigUnread { path: path.to_owned(), source })?;
    read(path, &text, args, given).map_err(Failure::Config)
}

/// What the file at `path` says for the gateway, for a command that asks about one thing of it.
pub(super) fn settings_of(path: &Path) -> Result<GatewayArgs, Failure> {
    let usage = |error: clap::Error| Failure::Usage(error.to_string());
    let bare = Args::command().try_get_matches_from(["mcp-gateway", "--config", "file"]).map_err(usage)?;
    let mut args = Args::from_arg_matches(&bare).map_err(usage)?.gateway;
    lay_under(path, &mut args, &|_| false)?;
    Ok(args)
}

fn read(path: &Path, text: &str, args: &mut GatewayArgs, given: &dyn Fn(&str) -> bool) -> Result<FileTells, BadConfig> {
    let reader = Reader::new(path, text);
    let mut told = FileTells::default();
    if let Some(document) = reader.parse() {
        let mut layer = Layer { args, given };
        let mut top = Section::top(&reader, document.get_ref());
        layer.general(&mut top);
        layer.restart(&mut top);
        layer.audit(&mut top);
        layer.approval_webhook(&mut top);
        layer.http(&mut top);
        layer.admin(&mut top);
        layer.tls(&mut top);
        layer.shared_store(&mut top);
        for (name, section) in top.named("servers") {
            told.servers.insert(name, server(section));
        }
        for (name, mut section) in top.named("grants") {
            match section.path("policy") {
                Some(policy) => drop(told.grants.insert(name, policy)),
                None if section.place("policy").is_none() => {
                    top.wrong("grants", &format!("`{name}` has no `policy`: write `policy = \"FILE\"`"));
                }
                None => {}
            }
            section.end();
        }
        top.end();
    }
    reader.end().map(|()| told)
}

/// Settings that were given, over those of the file.
struct Layer<'a> {
    args: &'a mut GatewayArgs,
    given: &'a dyn Fn(&str) -> bool,
}

impl Layer<'_> {
    /// Takes what the file tells unless the setting of this name was given.
    fn set<T>(&mut self, name: &str, told: Option<T>, place: impl FnOnce(&mut GatewayArgs) -> &mut T) {
        if let Some(told) = told
            && !(self.given)(name)
        {
            *place(self.args) = told;
        }
    }

    fn general(&mut self, top: &mut Section<'_, '_>) {
        self.set("policy", top.path("policy").map(Some), |args| &mut args.policy);
        self.set("state", top.path("state").map(Some), |args| &mut args.state);
        self.set("durability", top.choice("durability"), |args| &mut args.durability);
        self.set("kill_file", top.path("kill_file").map(Some), |args| &mut args.kill_file);
        self.set("grant", top.text("grant"), |args| &mut args.grant);
        self.set("approval_window", top.number("approval_window_s", 1), |args| &mut args.approval_window);
        self.set("max_in_flight", top.number("max_in_flight", 1), |args| &mut args.max_in_flight);
        self.set("max_frame", top.number("max_frame_bytes", 1), |args| &mut args.max_frame);
        self.set("drain", top.number("drain_ms", 0), |args| &mut args.drain);
        self.set("log", top.text("log"), |args| &mut args.log);
    }

    fn restart(&mut self, top: &mut Section<'_, '_>) {
        let Some(mut restart) = top.section("restart") else { return };
        self.set("restarts", restart.number("max", 0), |args| &mut args.restarts);
        self.set("restart_wait", restart.number("wait_ms", 0), |args| &mut args.restart_wait);
        self.set("restart_wait_max", restart.number("wait_max_ms", 0), |args| &mut args.restart_wait_max);
        self.set("restart_holds", restart.number("holds_ms", 0), |args| &mut args.restart_holds);
        self.set("restart_handshake", restart.number("handshake_ms", 1), |args| &mut args.restart_handshake);
        restart.end();
    }

    fn audit(&mut self, top: &mut Section<'_, '_>) {
        let Some(mut audit) = top.section("audit") else { return };
        self.set("audit", audit.path("file"), |args| &mut args.audit);
        self.set("audit_rotate", audit.number("rotate_bytes", 1), |args| &mut args.audit_rotate);
        self.set("audit_sync", audit.switch("sync"), |args| &mut args.audit_sync);
        self.set("audit_key_file", audit.path("key_file").map(Some), |args| &mut args.audit_key_file);
        audit.end();
    }

    fn approval_webhook(&mut self, top: &mut Section<'_, '_>) {
        let Some(mut webhook) = top.section("approval_webhook") else { return };
        self.set("approval_webhook", webhook.text("url").map(Some), |args| &mut args.approval_webhook);
        let secret = webhook.path("secret_file").map(Some);
        self.set("approval_webhook_secret_file", secret, |args| &mut args.approval_webhook_secret_file);
        let plain = webhook.switch("plain_text_beyond_this_machine");
        self.set("approval_webhook_plain_text", plain, |args| &mut args.approval_webhook_plain_text);
        if webhook.place("url").is_none() && !(self.given)("approval_webhook") {
            top.wrong("approval_webhook", "there is no `url` in it");
        }
        webhook.end();
    }

    fn http(&mut self, top: &mut Section<'_, '_>) {
        let Some(mut http) = top.section("http") else { return };
        self.set("listen", http.parsed("listen", ADDRESS).map(Some), |args| &mut args.listen);
        self.set("allow_host", http.texts("allow_hosts"), |args| &mut args.allow_host);
        self.set("allow_origin", http.texts("allow_origins"), |args| &mut args.allow_origin);
        let plain = http.switch("plain_text_beyond_this_machine");
        self.set("plain_text_beyond_this_machine", plain, |args| &mut args.plain_text_beyond_this_machine);
        self.set("max_sessions", http.number("max_sessions", 1), |args| &mut args.max_sessions);
        self.set("address_rate", http.number("address_rate", 0), |args| &mut args.address_rate);
        self.set("address_in_flight", http.number("address_in_flight", 0), |args| &mut args.address_in_flight);
        self.set("grant_rate", http.number("grant_rate", 0), |args| &mut args.grant_rate);
        self.set("grant_in_flight", http.number("grant_in_flight", 0), |args| &mut args.grant_in_flight);
        http.end();
    }

    fn admin(&mut self, top: &mut Section<'_, '_>) {
        let Some(mut admin) = top.section("admin") else { return };
        self.set("admin", admin.parsed("listen", ADDRESS).map(Some), |args| &mut args.admin);
        self.set("admin_token_file", admin.path("token_file").map(Some), |args| &mut args.admin_token_file);
        admin.end();
    }

    #[cfg(feature = "tls")]
    fn tls(&mut self, top: &mut Section<'_, '_>) {
        let Some(mut tls) = top.section("tls") else { return };
        self.set("tls_cert", tls.path("cert_file").map(Some), |args| &mut args.tls_cert);
        self.set("tls_key", tls.path("key_file").map(Some), |args| &mut args.tls_key);
        tls.end();
    }

    #[cfg(not(feature = "tls"))]
    #[expect(clippy::unused_self, reason = "with the feature it is told")]
    fn tls(&mut self, top: &mut Section<'_, '_>) {
        if top.section("tls").is_some() {
            top.wrong("tls", "this build encrypts nothing: use one with the feature `tls`");
        }
    }

    #[cfg(feature = "redis")]
    fn shared_store(&mut self, top: &mut Section<'_, '_>) {
        let Some(mut store) = top.section("shared_store") else { return };
        self.set("shared_store", store.text("url").map(Some), |args| &mut args.shared_store);
        let password = store.path("password_file").map(Some);
        self.set("shared_store_password_file", password, |args| &mut args.shared_store_password_file);
        self.set("shared_store_timeout", store.number("timeout_ms", 1), |args| &mut args.shared_store_timeout);
        if store.place("url").is_none() && !(self.given)("shared_store") {
            top.wrong("shared_store", "there is no `url` in it");
        }
        store.end();
    }

    #[cfg(not(feature = "redis"))]
    #[expect(clippy::unused_self, reason = "with the feature it is told")]
    fn shared_store(&mut self, top: &mut Section<'_, '_>) {
        if top.section("shared_store").is_some() {
            top.wrong("shared_store", "this build has none: use one with the feature `redis`");
        }
    }
}

const ADDRESS: &str = "address: write it as `\"127.0.0.1:8700\"`";

fn server(mut section: Section<'_, '_>) -> FileServer {
    let command = section.command("command").unwrap_or_default().into_iter().map(OsString::from).collect();
    let told = FileServer {
        command,
        url: section.text("url"),
        token_file: section.path("token_file"),
        ca_file: section.path("ca_file"),
        policy: section.path("policy"),
        pins: section.path("pins"),
    };
    if section.place("url").is_some() && section.place("command").is_some() {
        section.wrong("url", "the server has a `command` as well: leave one of them out");
    }
    if section.place("url").is_none() && section.place("token_file").is_some() {
        section.wrong("token_file", "only a server at a `url` is told a token: leave it out");
    }
    if section.place("url").is_none() && section.place("ca_file").is_some() {
        section.wrong("ca_file", "only a server at a `url` proves who it is: leave it out");
    }
    if cfg!(not(feature = "tls")) && section.place("ca_file").is_some() {
        section.wrong("ca_file", "this build encrypts nothing: use one with the feature `tls`");
    }
    section.end();
    told
}

#[cfg(test)]
mod tests;
