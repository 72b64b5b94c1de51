//! Who pays a trade's commission in the discount's asset, and how much.

use crate::command::Side;
use crate::commission::ExchangeRate;
use crate::fact::Traded;
use crate::ids::{AccountId, AssetId, SymbolId};
use crate::money::Amount;
use crate::spec::SymbolSpec;
use crate::state::{Slot, State};

/// Lets the sides of a decided trade pay in the discount's asset that have asked for it and have enough of it now,
/// just before it happens: earlier trades of the same order may have used it up.
pub(crate) fn with_discounts(state: &State, traded: &Traded) -> Option<Traded> {
    state.spec.discount.as_ref()?;
    let (maker, taker) = (state.record(Slot::of(traded.maker)?)?, state.record(Slot::of(traded.taker)?)?);
    let spec = state.spec.symbol(maker.symbol)?;
    let mut changed = *traded;
    let side = |account, side, is_maker| Payer { account, spec, side, is_maker };
    let used = match side(maker.account, maker.side, true).commission(state, traded, Amount::ZERO) {
        Some(commission) => {
            (changed.maker_commission, changed.maker_discounted) = (commission, true);
            if maker.account == taker.account { commission } else { Amount::ZERO }
        }
        None => Amount::ZERO,
    };
    if let Some(commission) = side(taker.account, maker.side.opposite(), false).commission(state, traded, used) {
        (changed.taker_commission, changed.taker_discounted) = (commission, true);
    }
    Some(changed)
}

/// One side of a trade.
struct Payer<'a> {
    account: AccountId,
    spec: &'a SymbolSpec,
    side: Side,
    is_maker: bool,
}

impl Payer<'_> {
    /// The commission in the discount's asset; nothing when it is not paid in that. `used` is what the other side of
    /// the trade takes from the same account.
    fn commission(&self, state: &State, traded: &Traded, used: Amount) -> Option<Amount> {
        let discount = state.spec.discount.as_ref()?;
        let account = state.account(self.account).filter(|account| account.pays_discounted)?;
        let commissions = &self.spec.commissions;
        if !commissions.discount_allowed {
            return None;
        }
        let (gets, received) = match self.side {
            Side::Buy => (self.spec.base, traded.quantity.as_amount()),
            Side::Sell => (self.spec.quote, traded.quote),
        };
        let costs = commissions.on(received, self.is_maker, self.side).ok()?;
        let commission = discount.on(&costs, &rate(state, gets, discount.asset)?).ok()?;
        let has = if gets == discount.asset { received } else { account.purse(discount.asset)?.free };
        (commission <= has.checked_sub(used).ok()?).then_some(commission)
    }
}

/// What one asset is worth in another by last prices: directly, or through the first asset in which both are traded.
/// Nothing when there is no such way.
fn rate(state: &State, from: AssetId, to: AssetId) -> Option<ExchangeRate> {
    if from == to {
        return Some(ExchangeRate::EVEN);
    }
    let price_of = |base: AssetId, quote: AssetId| {
        let place = state.spec.symbols.iter().position(|symbol| (symbol.base, symbol.quote) == (base, quote))?;
        let price = state.market(SymbolId(u16::try_from(place).ok()?))?.tape.last_price()?;
        price.is_positive().then_some(price)
    };
    let even = ExchangeRate::EVEN;
    price_of(to, from)
        .map(|under| ExchangeRate { under, ..even })
        .or_else(|| price_of(from, to).map(|over| ExchangeRate { over, ..even }))
        .or_else(|| {
            let mut quotes = state.spec.symbols.iter().filter(|symbol| symbol.base == from).map(|symbol| symbol.quote);
            let through = |quote| Some(ExchangeRate { over: price_of(from, quote)?, under: price_of(to, quote)? });
            quotes.find_map(through)
        })
}
