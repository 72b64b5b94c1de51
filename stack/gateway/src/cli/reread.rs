//! What a gateway that is running takes from its files anew: policies, and whatever of the configuration needs no restart.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mcp_gateway::{Policies, PolicyDocument, Reloaded, reload_together};

use super::args::GatewayArgs;
use super::encryption::Encryption;
use super::failure::Failure;
use super::settings::{ServerSettings, Settings};
use super::setup::{self, Guarded};

type Again = Box<dyn FnMut() -> Result<Settings, Failure> + Send>;

/// Reads everything anew when it is asked.
pub(super) struct Reread {
    guarded: Arc<[Guarded]>,
    /// What is in force, as far as it was not taken.
    args: Vec<(&'static str, String)>,
    servers: Vec<ServerSettings>,
    encryption: Encryption,
    again: Again,
}

impl Reread {
    /// `again` puts the settings together as at the start.
    pub(super) fn new(
        guarded: Arc<[Guarded]>,
        settings: &Settings,
        encryption: Encryption,
        again: impl FnMut() -> Result<Settings, Failure> + Send + 'static,
    ) -> Self {
        let (args, servers) = (fixed(&settings.args), settings.servers.clone());
        Self { guarded, args, servers, encryption, again: Box::new(again) }
    }

    pub(super) fn guarded(&self) -> Arc<[Guarded]> {
        Arc::clone(&self.guarded)
    }

    /// Puts everything in force that the files say now and that can be, or nothing.
    pub(super) fn now(&mut self) {
        let taken = (self.again)().and_then(|settings| self.take(&settings).map(|reloaded| (settings, reloaded)));
        match taken {
            Err(failure) => tracing::error!("nothing is changed: {failure}"),
            Ok((settings, reloaded)) => {
                for reloaded in &reloaded {
                    let grants = reloaded.grants.iter().map(|(grant, own)| (Some(grant.as_str()), own));
                    std::iter::once((None, reloaded)).chain(grants).for_each(|(grant, one)| told(grant, one));
                }
                let needs = self.needs_a_restart(&settings);
                if !needs.is_empty() {
                    tracing::warn!(
                        "changed in the configuration, and in force only after a restart: {}",
                        needs.join(", ")
                    );
                }
            }
        }
    }

    fn take(&self, settings: &Settings) -> Result<Vec<Reloaded>, Failure> {
        let own = setup::own_policies(settings)?;
        let read = |path: &Path| {
            PolicyDocument::read(path).map_err(|source| Failure::PolicyUnread { path: path.to_owned(), source })
        };
        let mut all = Vec::new();
        for Guarded { server, gateway } in &*self.guarded {
            let now = settings.servers.iter().find(|other| other.name == server.name);
            let policy = read(&now.unwrap_or(server).policy)?;
            let grants = own.iter().map(|(grant, path): (&String, &PathBuf)| Ok((grant.clone(), read(path)?)));
            let grants = grants.collect::<Result<BTreeMap<_, _>, Failure>>()?;
            all.push((gateway.clone(), Policies::new(policy, grants)));
        }
        let renewal = self.encryption.renewal(&settings.args)?;
        let reloaded = reload_together(&all).map_err(Failure::Reload)?;
        self.encryption.renew(renewal);
        for Guarded { gateway, .. } in &*self.guarded {
            gateway.set_approval_window_ms(settings.args.approval_window.saturating_mul(1000));
        }
        Ok(reloaded)
    }

    /// What has changed and is what it was at the start.
    fn needs_a_restart(&self, settings: &Settings) -> Vec<String> {
        let args = self.args.iter().zip(fixed(&settings.args)).filter(|((_, old), (_, new))| old != new);
        let mut needs: Vec<String> = args.map(|((name, _), _)| format!("`{name}`")).collect();
        let fixed = |servers: &[ServerSettings]| -> BTreeMap<String, ServerSettings> {
            let bare = |server: &ServerSettings| ServerSettings { policy: PathBuf::new(), ..server.clone() };
            servers.iter().map(|server| (server.name.clone(), bare(server))).collect()
        };
        let (old, new) = (fixed(&self.servers), fixed(&settings.servers));
        let names = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name)));
        needs.extend(names.filter(|name| old.get(*name) != new.get(*name)).map(|name| format!("`servers.{name}`")));
        needs
    }
}

fn told(grant: Option<&str>, reloaded: &Reloaded) {
    let whose = grant.map(|grant| format!(" of grant `{grant}`")).unwrap_or_default();
    for warning in &reloaded.warnings {
        tracing::warn!("the policy{whose}: {warning}");
    }
    tracing::info!(policy = reloaded.policy, "the policy{whose} is in force");
}

/// Every setting that is taken at the start alone, by its key in the file.
fn fixed(args: &GatewayArgs) -> Vec<(&'static str, String)> {
    let mut fixed = Vec::new();
    let mut add = |name, value: &dyn Debug| fixed.push((name, format!("{value:?}")));
    add("state", &args.state);
    add("durability", &args.durability);
    add("kill_file", &args.kill_file);
    add("grant", &args.grant);
    add("max_in_flight", &args.max_in_flight);
    add("max_frame_bytes", &args.max_frame);
    add("drain_ms", &args.drain);
    add("log", &args.log);
    add("audit.file", &args.audit);
    add("audit.rotate_bytes", &args.audit_rotate);
    add("audit.sync", &args.audit_sync);
    add("audit.key_file", &args.audit_key_file);
    add("http.listen", &args.listen);
    add("http.allow_hosts", &args.allow_host);
    add("http.allow_origins", &args.allow_origin);
    add("http.plain_text_beyond_this_machine", &args.plain_text_beyond_this_machine);
    add("http.max_sessions", &args.max_sessions);
    add("http.address_rate", &args.address_rate);
    add("http.address_in_flight", &args.address_in_flight);
    add("http.grant_rate", &args.grant_rate);
    add("http.grant_in_flight", &args.grant_in_flight);
    // Which certificate it is may change at any time, whether there is one may not.
    #[cfg(feature = "tls")]
    add("tls", &args.tls_cert.is_some());
    add("admin.listen", &args.admin);
    add("admin.token_file", &args.admin_token_file);
    #[cfg(feature = "redis")]
    {
        add("shared_store.url", &args.shared_store);
        add("shared_store.password_file", &args.shared_store_password_file);
        add("shared_store.timeout_ms", &args.shared_store_timeout);
    }
    fixed
}
