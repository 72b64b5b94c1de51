//! Shared limits in Redis or Valkey.
//!
//! Each counter is one hash, with a name that is a digest of what it counts and an end that comes after its last call's.
//! A script does all of it in one round trip, since a script is the one thing there that nobody comes between.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mcp_policy::{Due, Reservation, canonical_json};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, ConnectionAddr, IntoConnectionInfo, RedisError, Script};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{Asking, Charge, SharedError, SharedLimits};

const CHARGE: &str = concat!(include_str!("amounts.lua"), include_str!("charge.lua"));
const REFUND: &str = concat!(include_str!("amounts.lua"), include_str!("refund.lua"));

/// Numbers in a script are doubles. Both halves of an amount are far below what those hold exactly.
const HALF: u64 = 10_000_000_000;

/// In place of a time.
const SERVERS_CLOCK: u64 = 0;

/// Why a store cannot be used as it was given.
#[derive(Debug, thiserror::Error)]
pub enum BadRedis {
    /// The address is none.
    #[error("`{address}` is no address of a store: write `redis://HOST:PORT/DATABASE`")]
    Address {
        /// Without what may be secret.
        address: String,
    },
    /// Whoever lists processes would read it.
    #[error("the address of the store holds a password: put it into a file")]
    PasswordInAddress,
    /// There is no runtime to talk to it in.
    #[error("a shared store needs a runtime")]
    NoRuntime,
    /// The client refuses the address.
    #[error("the store cannot be used: {0}")]
    Client(String),
}

/// Shared limits in Redis or Valkey. The connection is made when it is first needed, and again whenever it was lost.
pub struct RedisLimits {
    connection: ConnectionManager,
    charge: Arc<Script>,
    refund: Arc<Script>,
    timeout: Duration,
}

impl fmt::Debug for RedisLimits {
    /// Without the connection, which knows the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisLimits").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl RedisLimits {
    /// The store at `address`, as `redis://[USER@]HOST:PORT/DATABASE`, which must answer within `timeout`. Needs a tokio
    /// runtime.
    ///
    /// # Errors
    /// The address is none. Whether anything answers there is not asked.
    pub fn new(address: &str, password: Option<&str>, timeout: Duration) -> Result<Self, BadRedis> {
        tokio::runtime::Handle::try_current().map_err(|_| BadRedis::NoRuntime)?;
        // What comes before the `@` may be a password, whatever the rest is.
        let shown = || address.rsplit_once('@').map_or(address, |(_, host)| host).to_owned();
        let info = address.into_connection_info().map_err(|_| BadRedis::Address { address: shown() })?;
        if !matches!(info.addr(), ConnectionAddr::Tcp(..) | ConnectionAddr::Unix(_)) {
            return Err(BadRedis::Address { address: shown() });
        }
        if info.redis_settings().password().is_some() {
            return Err(BadRedis::PasswordInAddress);
        }
        let info = match password {
            None => info,
            Some(password) => {
                let settings = info.redis_settings().clone().set_password(password);
                info.set_redis_settings(settings)
            }
        };
        let refused = |error: RedisError| BadRedis::Client(words(&error));
        let client = Client::open(info).map_err(refused)?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(timeout))
            .set_response_timeout(Some(timeout))
            // The next call tries again, and calls come all the time.
            .set_number_of_retries(0);
        Ok(Self {
            connection: ConnectionManager::new_lazy_with_config(client, config).map_err(refused)?,
            charge: Arc::new(Script::new(CHARGE)),
            refund: Arc::new(Script::new(REFUND)),
            timeout,
        })
    }
}

impl SharedLimits for RedisLimits {
    fn charge(&self, server: &str, dues: Arc<[Due]>) -> Asking<Result<Charge, SharedError>> {
        let (mut connection, script, timeout) = (self.connection.clone(), Arc::clone(&self.charge), self.timeout);
        let keys: Vec<String> = dues.iter().map(|due| key(server, due)).collect();
        Box::pin(async move {
            let mut asking = script.prepare_invoke();
            asking.arg(SERVERS_CLOCK);
            for (key, due) in keys.iter().zip(dues.iter()) {
                let amount = due.reservation.amount;
                asking.key(key).arg(due.window_ms).arg(due.granule_ms);
                asking.arg(due.max / HALF).arg(due.max % HALF).arg(amount / HALF).arg(amount % HALF);
                asking.arg(u8::from(due.shadow));
            }
            let answer: Vec<i64> = in_time(timeout, asking.invoke_async(&mut connection)).await?;
            read(&answer, dues.len())
        })
    }

    fn refund(&self, server: &str, dues: Arc<[Due]>, at_ms: Vec<u64>) -> Asking<Result<(), SharedError>> {
        let (mut connection, script, timeout) = (self.connection.clone(), Arc::clone(&self.refund), self.timeout);
        let keys: Vec<String> = dues.iter().map(|due| key(server, due)).collect();
        Box::pin(async move {
            let mut asking = script.prepare_invoke();
            for ((key, due), at) in keys.iter().zip(dues.iter()).zip(at_ms).filter(|(_, at)| *at > 0) {
                let Reservation { amount, .. } = due.reservation;
                asking.key(key).arg(at).arg(amount / HALF).arg(amount % HALF);
            }
            let bad: i64 = in_time(timeout, asking.invoke_async(&mut connection)).await?;
            if bad == 0 { Ok(()) } else { Err(SharedError::Damaged(format!("{bad} counters cannot be read"))) }
        })
    }
}

/// What one due is counted under. A digest, so that it is as long for every name, and none can be made to look like
/// another's; all in one slot, since a script reaches no other.
fn key(server: &str, due: &Due) -> String {
    let Reservation { counter, grant, session, part, .. } = &due.reservation;
    let server = (!due.across_servers).then_some(server);
    let whose = canonical_json(&json!([server, counter, grant, session, part.map(hex::encode)]));
    format!("{{mcp-gateway}}:limit:1:{}", hex::encode(Sha256::digest(whose)))
}

async fn in_time<T>(timeout: Duration, asking: impl Future<Output = Result<T, RedisError>>) -> Result<T, SharedError> {
    match tokio::time::timeout(timeout, asking).await {
        Ok(answer) => answer.map_err(|error| SharedError::Unavailable(words(&error))),
        Err(_) => Err(SharedError::Unavailable("it does not answer in time".to_owned())),
    }
}

/// What went wrong. A server that refuses a password does not repeat it, but its words are not needed either.
fn words(error: &RedisError) -> String {
    let kind = format!("{:?}", error.kind());
    error.code().map_or_else(|| kind.clone(), |code| format!("{kind} ({code})"))
}

fn read(answer: &[i64], dues: usize) -> Result<Charge, SharedError> {
    let strange = || SharedError::Damaged("its answer is none".to_owned());
    match answer {
        [1, at_ms @ ..] if at_ms.len() == dues => {
            let at_ms = at_ms.iter().map(|at| u64::try_from(*at));
            Ok(Charge::Made { at_ms: at_ms.collect::<Result<_, _>>().map_err(|_| strange())? })
        }
        [0, position, wait] => {
            let position = usize::try_from(*position).ok().filter(|position| (1..=dues).contains(position));
            Ok(Charge::NoRoom {
                position: position.ok_or_else(strange)? - 1,
                retry_after_ms: u64::try_from(*wait).ok(),
            })
        }
        [-1, position] => Err(SharedError::Damaged(format!("the counter of limit {position} cannot be read"))),
        _ => Err(strange()),
    }
}
