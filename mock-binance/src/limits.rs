//! Spending request weight, whichever face spends it.

use exchange_engine::{SourceLimit, Timestamp};

use crate::api::error::ApiError;
use crate::state::State;

/// Charges the weight, or says why not; whoever goes on after too many refusals is banned.
pub(crate) fn charge(state: &mut State, now: Timestamp, source: u32, weight: u32) -> Result<(), ApiError> {
    let Err(hit) = state.weights.charge(now, source, weight) else {
        return Ok(());
    };
    if let Some(until) = state.bans.refused(now, source, hit.limit.ends_at(now)) {
        return Err(banned(now, until));
    }
    let retry_after_s = hit.retry_after_ms.div_ceil(1000);
    Err(match hit.kind {
        SourceLimit::RequestWeight => ApiError::TooMuchWeight { limit: hit.limit, retry_after_s },
        SourceLimit::RawRequests => ApiError::TooManyRequests { retry_after_s },
    })
}

pub(crate) fn banned(now: Timestamp, until: Timestamp) -> ApiError {
    ApiError::Banned { until_ms: until.as_millis(), retry_after_s: until.micros_since(now).div_ceil(1_000_000) }
}
