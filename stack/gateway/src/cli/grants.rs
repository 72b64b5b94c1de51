//! Gives grants and takes them back.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use mcp_gateway::{Durability, Grant, GrantBook, StateDir, Token, system_clock};
use serde_json::json;

use super::args::{Grants, State};
use super::failure::Failure;
use super::setup;

const HOUR_MS: u64 = 60 * 60 * 1000;

pub(super) fn run(grants: &Grants) -> Result<(), Failure> {
    let now = system_clock()();
    match grants {
        Grants::Add { name, state, expires_in, policy } => {
            let policy = policy.as_deref().map(own_policy).transpose()?;
            let token = Token::generate().map_err(Failure::Random)?;
            let expires = expires_in.map(|hours| now.saturating_add(hours.saturating_mul(HOUR_MS)));
            open(state)?.add_under(name, &token, now, expires, policy.as_deref())?;
            if policy.is_some() {
                let _ = writeln!(io::stderr(), "A gateway that is running denies its calls until SIGHUP.");
            }
            show(&token)
        }
        Grants::List { state, json } => list(&open(state)?.list()?, now, *json),
        Grants::Revoke { name, state } => Ok(open(state)?.revoke(name, now)?),
        Grants::Rotate { name, state } => {
            let token = Token::generate().map_err(Failure::Random)?;
            open(state)?.rotate(name, &token)?;
            show(&token)
        }
    }
}

fn open(state: &State) -> Result<GrantBook, Failure> {
    Ok(GrantBook::open(&StateDir::new(&state.folder()?, Durability::Power)?)?)
}

/// Where a gateway finds the policy of a grant, which must be one.
fn own_policy(path: &Path) -> Result<PathBuf, Failure> {
    let unread = |source| Failure::PolicyUnread { path: path.to_owned(), source };
    setup::read_own(path)?;
    std::path::absolute(path).map_err(unread)
}

/// The token alone goes to standard output, so that it can be piped to where secrets are kept.
fn show(token: &Token) -> Result<(), Failure> {
    writeln!(io::stdout(), "{}", token.reveal()).map_err(Failure::Output)?;
    let _ = writeln!(io::stderr(), "This is the only time that the token is shown. Give it to one client.");
    Ok(())
}

fn list(grants: &[Grant], now: u64, as_json: bool) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let state = |grant: &Grant| match grant.revoked_ms {
        Some(_) => "revoked",
        None if grant.is_open(now) => "open",
        None => "expired",
    };
    if as_json {
        let told: Vec<_> = grants
            .iter()
            .map(|grant| {
                json!({"name": grant.name, "state": state(grant), "made_ms": grant.made_ms,
                       "expires_ms": grant.expires_ms, "revoked_ms": grant.revoked_ms, "policy": grant.policy})
            })
            .collect();
        return writeln!(stdout, "{}", json!(told)).map_err(Failure::Output);
    }
    if grants.is_empty() {
        return writeln!(stdout, "no grants yet: see `mcp-gateway grant add --help`").map_err(Failure::Output);
    }
    let width = grants.iter().map(|grant| grant.name.len()).max().unwrap_or_default();
    for grant in grants {
        let policy = grant.policy.as_ref().map(|path| format!("  {}", path.display())).unwrap_or_default();
        writeln!(stdout, "{:width$}  {}{policy}", grant.name, state(grant)).map_err(Failure::Output)?;
    }
    Ok(())
}
