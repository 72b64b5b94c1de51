//! Reference prices, as the gateway tells them to its guard.

use mcp_policy::{Call, Moment, PriceRequest, Timestamp};
use serde_json::Value;

use crate::gateway::{Case, Gateway};

impl Gateway {
    /// Which prices a call cannot be judged without; none where it is judged without them.
    pub(crate) fn prices_wanted(&self, case: &Case<'_>) -> Vec<PriceRequest> {
        let call = Call {
            tool: case.tool,
            arguments: case.arguments,
            grant: &case.identity.grant,
            session: &case.identity.session,
        };
        // With the lock poisoned the call is denied, whatever the price.
        let Ok(mut court) = self.shared.court.lock() else { return Vec::new() };
        if !court.has_live_references() {
            return Vec::new();
        }
        let Ok(under) = court.under(case.identity) else { return Vec::new() };
        let moment = Moment::new(Timestamp::from_millis(case.now_ms)).halted(self.kill_switch().is_on());
        court.prices_wanted(&under, &call, moment)
    }

    /// Tells the guard what came of a request that left at `asked_ms`, and puts it on record: by what an order was judged
    /// is as much a part of the reason as the rule.
    pub(crate) fn price_told(&self, request: &PriceRequest, result: Option<&Value>, asked_ms: u64) {
        let told = match self.shared.court.lock() {
            Ok(mut court) => court.tell_price(request, result, Timestamp::from_millis(asked_ms)),
            Err(_) => return,
        };
        let (symbol, tool) = (("symbol", request.symbol.as_str()), ("tool", request.tool.as_str()));
        match told {
            Ok(price) => self.record_event("price_told", &[symbol, tool, ("price", &price)]),
            Err(problem) => {
                tracing::warn!(symbol = request.symbol, tool = request.tool, %problem, "no reference price");
                self.record_event("price_missing", &[symbol, tool, ("problem", &problem.to_string())])
            }
        };
    }
}
