//! Rules over what went before: test orders, own orders, own listen keys, open orders, exposure, cancels to trades.
//!
//! They read the grant's register and change nothing. What they need of a call is told by the manifest's effects.

use std::sync::Arc;

use crate::arguments::member;
use crate::condition::Cause;
use crate::decision::{Call, Denial, Reason};
use crate::docket::{Docket, Head, denial};
use crate::document::{Policy, ToolRules};
use crate::effects::{Effect, Intent, OneOrder, Side, id_text};
use crate::facts;
use crate::jcs::arguments_digest;
use crate::register::{Deed, Orders, Register, Registers, Standing, Trace};
use crate::seam::Seam;

/// What a tool's entry says of what must have gone before.
#[derive(Debug, Default)]
pub(crate) struct Sequence {
    pub(crate) prior: Vec<Prior>,
    pub(crate) own_orders: Option<Head>,
    pub(crate) own_listen_keys: Option<Head>,
    pub(crate) self_cross: Option<Head>,
    pub(crate) open_orders: Vec<OpenOrders>,
    pub(crate) exposure: Vec<ExposureCap>,
    pub(crate) cancel_to_fill: Vec<CancelToFill>,
}

/// A call of another tool that must have succeeded.
#[derive(Debug)]
pub(crate) struct Prior {
    pub(crate) head: Head,
    pub(crate) tool: String,
    pub(crate) proof: Arc<Proof>,
    pub(crate) within_ms: u64,
}

/// Which two calls match.
#[derive(Debug)]
pub(crate) struct Proof {
    /// Tells digests of this rule from others.
    pub(crate) purpose: String,
    /// The arguments in which the two may differ.
    pub(crate) but: Vec<String>,
}

/// How many orders may be open.
#[derive(Debug)]
pub(crate) struct OpenOrders {
    pub(crate) head: Head,
    pub(crate) max: u64,
    pub(crate) per_symbol: bool,
}

/// How far the grant's orders may move its position in an asset, either way; in units of 10⁻⁸.
#[derive(Debug)]
pub(crate) struct ExposureCap {
    pub(crate) head: Head,
    pub(crate) asset: Arc<str>,
    pub(crate) max: u64,
}

/// How many cancels there may be for each order that traded.
#[derive(Debug)]
pub(crate) struct CancelToFill {
    pub(crate) head: Head,
    pub(crate) window_ms: u64,
    pub(crate) max: u64,
    /// Without any trade.
    pub(crate) free: u64,
}

impl Sequence {
    /// Its rules, in the order in which they are asked.
    pub(crate) fn heads(&self) -> impl Iterator<Item = &Head> {
        let own = [&self.own_orders, &self.own_listen_keys, &self.self_cross].into_iter().flatten();
        let caps = self.open_orders.iter().map(|rule| &rule.head).chain(self.exposure.iter().map(|rule| &rule.head));
        let ratios = self.cancel_to_fill.iter().map(|rule| &rule.head);
        self.prior.iter().map(|rule| &rule.head).chain(own).chain(caps).chain(ratios)
    }

    /// Whether it says anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.prior.is_empty()
            && self.own_orders.is_none()
            && self.own_listen_keys.is_none()
            && self.self_cross.is_none()
            && self.open_orders.is_empty()
            && self.exposure.is_empty()
            && self.cancel_to_fill.is_empty()
    }
}

/// A call and what is known of its grant.
struct Hearing<'a> {
    policy: &'a Policy,
    rules: &'a ToolRules,
    call: &'a Call<'a>,
    registers: &'a Registers,
    register: Option<&'a Register>,
}

/// Line 9 of the precedence: judges `call` by what went before, and returns what is to be remembered of it.
pub(crate) fn consult(
    policy: &Policy,
    rules: &ToolRules,
    call: &Call<'_>,
    registers: &Registers,
    now: u64,
    seam: Seam,
    docket: &mut Docket,
) -> Result<Option<Box<Trace>>, Denial> {
    let Some(facts) = rules.facts.as_ref().filter(|_| policy.tracks()) else { return Ok(None) };
    let register = registers.of(call.grant);
    let hearing = Hearing { policy, rules, call, registers, register };
    let intent = hearing.intent(facts.effect.as_ref())?;
    let mut uses = None;
    if let Some(sequence) = rules.sequence.as_deref().filter(|_| !seam.ignores_sequences()) {
        for prior in &sequence.prior {
            let digest = prior.proof.digest(call);
            let made = register.and_then(|register| register.prior(&digest));
            if made.is_some_and(|at| at.saturating_add(prior.within_ms) > now) {
                uses = Some(digest);
            } else {
                let words = format!("the same call of `{}` must have succeeded just before", prior.tool);
                docket.rule(&prior.head, Reason::PriorMissing, words)?;
            }
        }
        hearing.own(sequence, facts.effect.as_ref(), docket)?;
        if let Some(intent) = &intent {
            hearing.order(sequence, intent, docket)?;
        }
        for cap in &sequence.cancel_to_fill {
            let (cancels, fills) = register.map_or((0, 0), |register| register.ratio(cap.window_ms, now));
            if cancels >= cap.free.saturating_add(cap.max.saturating_mul(fills)) {
                let words = format!("{cancels} cancels to {fills} orders that traded are too many");
                docket.rule(&cap.head, Reason::CancelToFill, words)?;
            }
        }
    }
    if intent.is_some() && !registers.has_room(call.grant) {
        let message = "there is no room to remember another open order, so it is not let through";
        return Err(denial(Reason::StateFull, &rules.rule, message));
    }
    let deed = hearing.deed(facts.effect.as_ref(), intent);
    let proves: Vec<_> = rules.proves.iter().map(|proof| proof.digest(call)).collect();
    if matches!(deed, Deed::Nothing) && proves.is_empty() && uses.is_none() {
        return Ok(None);
    }
    Ok(Some(Box::new(Trace {
        grant: call.grant.into(),
        facts: Arc::clone(facts),
        deed,
        proves,
        uses,
        used: None,
        ratios: policy.ratios(),
        cancels: 1,
        step: 0,
        at: now,
    })))
}

impl Proof {
    fn digest(&self, call: &Call<'_>) -> crate::jcs::Digest {
        arguments_digest(&self.purpose, call.arguments, &self.but)
    }
}

impl Hearing<'_> {
    /// The order that the call would place. One that cannot be read cannot be followed either.
    fn intent(&self, effect: Option<&Effect>) -> Result<Option<Intent>, Denial> {
        let Some(Effect::Places(places)) = effect else { return Ok(None) };
        places.intent(self.call.arguments).map(Some).map_err(|(name, cause)| unevaluable(&self.rules.rule, name, cause))
    }

    /// Whether the order or listen key that the call is about is the grant's own.
    fn own(&self, sequence: &Sequence, effect: Option<&Effect>, docket: &mut Docket) -> Result<(), Denial> {
        if let (Some(head), Some(Effect::Cancels(one) | Effect::Reads(one))) = (&sequence.own_orders, effect)
            && !self.owns(one, matches!(effect, Some(Effect::Reads(_))))
        {
            docket.rule(head, Reason::NotOwn, "this order was not placed under this grant".to_owned())?;
        }
        if let (Some(head), Some(Effect::Extends(name) | Effect::Closes(name))) = (&sequence.own_listen_keys, effect) {
            let key = member(self.call.arguments, name).and_then(serde_json::Value::as_str);
            if !key.is_some_and(|key| self.registers.issued(self.call.grant, key)) {
                docket.rule(head, Reason::NotOwn, "this listen key was not issued to this grant".to_owned())?;
            }
        }
        Ok(())
    }

    fn order(&self, sequence: &Sequence, intent: &Intent, docket: &mut Docket) -> Result<(), Denial> {
        let orders = self.register.map(|register| &register.orders);
        let crosses = |orders: &Orders| orders.crosses(&intent.symbol, intent.side, intent.price);
        if let Some(head) = &sequence.self_cross
            && orders.is_some_and(crosses)
        {
            docket.rule(head, Reason::SelfCross, "this order would meet an open one of the same grant".to_owned())?;
        }
        for cap in &sequence.open_orders {
            let symbol = cap.per_symbol.then_some(intent.symbol.as_str());
            let open = orders.map_or(0, |orders| orders.open(symbol));
            if u64::try_from(open).unwrap_or(u64::MAX) >= cap.max {
                let of = if cap.per_symbol { " of this symbol" } else { "" };
                let words = format!("{open} orders{of} are open or may be, and at most {} may", cap.max);
                docket.rule(&cap.head, Reason::OpenOrders, words)?;
            }
        }
        for cap in &sequence.exposure {
            self.exposure(cap, intent, orders, docket)?;
        }
        Ok(())
    }

    fn exposure(
        &self,
        cap: &ExposureCap,
        intent: &Intent,
        orders: Option<&Orders>,
        docket: &mut Docket,
    ) -> Result<(), Denial> {
        let Some(asset) = self.policy.asset(&intent.symbol) else {
            return docket
                .unevaluable(&cap.head, "the policy cannot judge this call: `assets` does not name its symbol");
        };
        if *asset != cap.asset {
            return Ok(());
        }
        let exposure = orders.map(|orders| orders.exposure(asset)).unwrap_or_default();
        let amount = intent.quantity.map(i128::from);
        let reached = match intent.side {
            Side::Buy => exposure.most().zip(amount).map(|(most, amount)| most + amount),
            Side::Sell => exposure.least().zip(amount).map(|(least, amount)| amount - least),
        };
        let Some(reached) = reached else {
            let words = "the policy cannot judge this call: a quantity is not known before the exchange fills it";
            return docket.unevaluable(&cap.head, words);
        };
        if reached > i128::from(cap.max) {
            let (max, asset) = (facts::text_of_units(cap.max), &cap.asset);
            let words = format!("this could move the position by more than {max} {asset}, open orders included");
            docket.rule(&cap.head, Reason::Exposure, words)?;
        }
        Ok(())
    }

    /// Whether the call names an own order. One of which nobody knows what became may be looked up, and no more: somebody
    /// else's order may bear its name.
    fn owns(&self, one: &OneOrder, looks_up: bool) -> bool {
        let standing = self.order_of(one).and_then(|number| self.register?.orders.standing(number));
        match standing {
            Some(Standing::Confirmed(_)) => true,
            Some(Standing::Doubtful) => looks_up,
            Some(Standing::UnderWay) | None => false,
        }
    }

    /// The grant's own order that the call names, if it is one.
    fn order_of(&self, one: &OneOrder) -> Option<u64> {
        let at = |name: &str| member(self.call.arguments, name);
        let symbol = at(&one.symbol)?.as_str()?;
        // An id that is there but is none is no reason to look past it.
        let (id, client_id) = (at(&one.order_id).map(id_text), at(&one.client_order_id).map(id_text));
        if id == Some(None) || client_id == Some(None) {
            return None;
        }
        let (id, client_id) = (id.flatten(), client_id.flatten());
        self.register?.orders.find(symbol, id.as_deref(), client_id.as_deref())
    }

    fn deed(&self, effect: Option<&Effect>, intent: Option<Intent>) -> Deed {
        let text = |name: &str| member(self.call.arguments, name).and_then(serde_json::Value::as_str);
        match (effect, intent) {
            (Some(Effect::Places(_)), Some(intent)) => {
                let asset = self.policy.asset(&intent.symbol).cloned();
                Deed::Places { intent, asset, number: 0 }
            }
            (Some(Effect::Cancels(one)), _) => Deed::Cancels(self.order_of(one)),
            (Some(Effect::Reads(one)), _) => Deed::Reads(self.order_of(one)),
            (Some(Effect::CancelsAll(many)), _) => match text(&many.symbol) {
                Some(symbol) => Deed::CancelsAll(symbol.to_owned()),
                None => Deed::Nothing,
            },
            (Some(Effect::Lists(many)), _) => match member(self.call.arguments, &many.symbol) {
                None => Deed::Lists(None),
                Some(serde_json::Value::String(symbol)) => Deed::Lists(Some(symbol.clone())),
                Some(_) => Deed::Nothing,
            },
            (Some(Effect::Issues(_)), _) => Deed::Issues,
            (Some(Effect::Closes(name)), _) => match text(name) {
                Some(key) => Deed::Closes(self.registers.digest(key)),
                None => Deed::Nothing,
            },
            (Some(Effect::Places(_) | Effect::Extends(_)) | None, _) => Deed::Nothing,
        }
    }
}

fn unevaluable(rule: &str, path: &str, cause: Cause) -> Denial {
    let message = format!("the policy cannot follow this call: `{path}` {cause}");
    denial(Reason::Unevaluable, rule, &message)
}
