//! What trades past the order book: smart order routing, its allocations, and block trades. A mock has one book per
//! symbol and nothing to route between, which is how the exchange answers for most of its symbols.

use super::account::times;
use super::error::ApiError;
use super::order;
use super::route::Call;

/// What the exchange says of a symbol that takes part in no routing.
const NO_SOR: &str = "This symbol has no SOR.";
/// An answer without rows.
const NOTHING: &[u8] = b"[]";

/// POST sor/order and sor/order/test. The order is read first, so that a wrong parameter is told as what it is.
pub(crate) fn order(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    call.params.flag("computeCommissionRates")?;
    order::read(call)?;
    Err(ApiError::Message(NO_SOR.into()))
}

/// GET myAllocations.
pub(crate) fn allocations(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    call.symbol()?;
    let by_id = call.params.digits("fromAllocationId")?.is_some() | call.params.digits("orderId")?.is_some();
    call.limit(500, 1000)?;
    let times = times(call)?;
    if by_id && (times.from.is_some() || times.to.is_some()) {
        return Err(ApiError::Combination);
    }
    Ok(NOTHING.to_vec())
}

/// GET historicalBlockTrades.
pub(crate) fn block_trades(call: &mut Call<'_>) -> Result<Vec<u8>, ApiError> {
    call.symbol()?;
    call.params.digits("fromId")?;
    call.limit(500, 1000)?;
    Ok(NOTHING.to_vec())
}
