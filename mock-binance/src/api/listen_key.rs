//! `/api/v3/userDataStream`, as it was until 2026-02-20.

use serde::Serialize;

use super::error::ApiError;
use super::route::Call;
use crate::json;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Opened<'a> {
    listen_key: &'a str,
}

/// POST: a key for an hour; the same one while it is valid.
#[expect(clippy::unnecessary_wraps, reason = "all endpoints are called alike")]
pub(crate) fn open(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    let listen_key = call.state.listen_keys.open(call.account, call.now);
    Ok(json::bytes(&Opened { listen_key: &listen_key }))
}

/// PUT: another hour.
pub(crate) fn keep_alive(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    let key = call.params.require("listenKey")?;
    call.state.listen_keys.keep_alive(key, call.account, call.now).map_err(|_| ApiError::ListenKey)?;
    Ok(b"{}".to_vec())
}

/// DELETE: ends the key and closes its stream.
pub(crate) fn close(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    let key = call.params.require("listenKey")?;
    call.state.listen_keys.close(key, call.account).map_err(|_| ApiError::ListenKey)?;
    call.state.streams.close_stream(key);
    Ok(b"{}".to_vec())
}
