//! `order/cancelReplace`: cancels one order and places another.

use exchange_engine::{CancelOrder, CancelReplace, Command, OrderId, Replaced, Reply};
use serde::Serialize;
use serde_json::value::RawValue;

use super::error::ApiError;
use super::order::{self, Asked};
use super::refusal;
use super::render::PlacedAnswer;
use super::route::Call;
use super::trading::{one_or_list, restriction};
use crate::json;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReplacedAnswer {
    cancel_result: &'static str,
    new_order_result: &'static str,
    cancel_response: Box<RawValue>,
    /// Null when the new order was not attempted.
    new_order_response: Option<Box<RawValue>>,
}

const SUCCESS: &str = "SUCCESS";
const FAILURE: &str = "FAILURE";

/// POST order/cancelReplace.
pub(crate) fn replace(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    let stop_on_failure = match call.params.require("cancelReplaceMode")? {
        "STOP_ON_FAILURE" => true,
        "ALLOW_FAILURE" => false,
        _ => return Err(ApiError::Invalid("cancelReplaceMode")),
    };
    let cancel_when_limited = match call.params.get("orderRateLimitExceededMode") {
        None | Some("DO_NOTHING") => false,
        Some("CANCEL_ONLY") => true,
        Some(_) => return Err(ApiError::Invalid("orderRateLimitExceededMode")),
    };
    let restriction = restriction(call)?;
    let (symbol, target) = order::order_ref_by(call, "cancelOrderId", "cancelOrigClientOrderId")?;
    let cancel_id = order::client_id(call.params, "cancelNewClientOrderId")?;
    let Asked { order: new_order, response_type, strategy } = order::read(call)?;
    let request = CancelReplace {
        cancel: CancelOrder { symbol, target, cancel_id, restriction },
        order: new_order,
        stop_on_failure,
        cancel_when_limited,
    };
    let next = OrderId(call.state.exchange.order_count().saturating_add(1));
    call.state.mark_strategy(next, strategy);
    let reply = call.state.apply(call.now, call.account, &Command::CancelReplace(Box::new(request)));
    let replaced = match reply {
        Ok(Reply::Replaced(replaced)) => replaced,
        Ok(_) => return Err(ApiError::Internal),
        Err(rejection) => {
            call.state.strategies.unmark(next);
            return Err(refusal::placing(rejection, &new_order, call.now));
        }
    };
    let Replaced { cancel, order: placed, limited } = *replaced;
    if !matches!(placed, Some(Ok(_))) {
        call.state.strategies.unmark(next);
    }
    let cancel_result = if cancel.is_ok() { SUCCESS } else { FAILURE };
    let cancel_response = match &cancel {
        Ok(canceled) => json::raw(&one_or_list(canceled, call)),
        Err(rejection) => json::raw(&refusal::canceling(*rejection).told()),
    };
    let (new_order_result, new_order_response) = match &placed {
        None => ("NOT_ATTEMPTED", None),
        Some(Ok(done)) => {
            let answer = PlacedAnswer::new(&done.order, &done.fills, response_type, call.context());
            (SUCCESS, Some(json::raw(&answer)))
        }
        Some(Err(rejection)) => {
            let error = refusal::placing(*rejection, &new_order, call.now);
            (FAILURE, Some(json::raw(&error.told())))
        }
    };
    let is_done = cancel.is_ok() && matches!(placed, Some(Ok(_)));
    let is_part_done = cancel.is_ok() || matches!(placed, Some(Ok(_)));
    let answer = ReplacedAnswer { cancel_result, new_order_result, cancel_response, new_order_response };
    if is_done {
        return Ok(json::bytes(&answer));
    }
    // Where failures are allowed the part that was done decides, as if the order had failed for any other reason.
    let limited = limited.filter(|_| stop_on_failure);
    let limited_for_s = limited.map(|hit| hit.resets_at.micros_since(call.now).div_ceil(1_000_000));
    Err(ApiError::CancelReplace { partially: is_part_done, data: json::text(&answer), limited_for_s })
}
