//! The rows about order lists, replacing and amending.

use exchange_engine::{
    AccountId, AmendOrder, CancelList, CancelOrder, CancelReplace, Canceled, ClientOrderId, Command, ListId, ListLegs,
    ListRef, NewOrder, NewOrderList, OcoLegs, OrderId, OrderList, PendingLegs, Replaced,
};

use super::{Row, World, describe, list, parse, refused, short};

impl World {
    /// `oco LABEL sell ABOVE / BELOW`, `oto LABEL buy WORKING / sell PENDING`, `otoco LABEL buy WORKING / sell ABOVE /
    /// BELOW`, `opo ..`, `opoco ..`, each with `[list=name]` at the end. The orders are labelled by their places:
    /// `LABEL.1`, `LABEL.2`, `LABEL.3`.
    pub(super) fn place_list(&mut self, account: AccountId, words: &[&str]) -> Row<String> {
        let (client, words) = match words {
            [rest @ .., last] if last.starts_with("list=") => (last.strip_prefix("list="), rest),
            words => (None, words),
        };
        let [kind, label, rest @ ..] = words else { return Err("write `oco LABEL ..`".to_owned()) };
        let mut side = "";
        let mut orders: Vec<NewOrder> = Vec::new();
        for part in rest.split(|word| *word == "/") {
            let part = match part {
                [named @ ("buy" | "sell"), part @ ..] => {
                    side = named;
                    part
                }
                part => part,
            };
            orders.push(self.order(side, part)?);
        }
        let pays_other = kind.starts_with("opo");
        let legs = match (*kind, orders.as_slice()) {
            ("oco", &[above, below]) => ListLegs::Oco(OcoLegs { above, below }),
            ("oto" | "opo", &[working, order]) => {
                ListLegs::Oto { working, pending: PendingLegs::One(order), pays_other }
            }
            ("otoco" | "opoco", &[working, above, below]) => {
                ListLegs::Oto { working, pending: PendingLegs::Oco(OcoLegs { above, below }), pays_other }
            }
            _ => return Err(format!("no such list: {words:?}")),
        };
        let (symbol, client_id) = (self.symbol, client.map(parse).transpose()?);
        let next = self.exchange().order_count();
        let told = self.apply(account, &Command::PlaceList(Box::new(NewOrderList { symbol, client_id, legs })))?;
        if !told.starts_with("refused") {
            for place in 1..=orders.len() as u64 {
                self.labels.insert(format!("{label}.{place}"), OrderId(next + place));
            }
        }
        Ok(told)
    }

    /// `cancel-list 0 [as=name]`, `cancel-list list=NAME`.
    pub(super) fn cancel_list(&mut self, account: AccountId, words: &[&str]) -> Row<String> {
        let (cancel_id, words) = match words {
            [rest @ .., last] if last.starts_with("as=") => (last.strip_prefix("as="), rest),
            words => (None, words),
        };
        let (target, symbol) = (list_ref(words)?, self.symbol);
        let cancel_id = cancel_id.map(parse).transpose()?;
        self.apply(account, &Command::CancelList(CancelList { symbol, target, cancel_id }))
    }

    /// `list 0`, `list list=NAME`.
    pub(super) fn tell_list(&mut self, account: AccountId, words: &[&str]) -> Row<String> {
        let found = self.exchange().list(account, list_ref(words)?);
        Ok(found.map_or_else(refused, |list| self.describe_list(&list)))
    }

    /// `amend LABEL to 2 [client=name]`.
    pub(super) fn amend(&mut self, account: AccountId, words: &[&str]) -> Row<String> {
        let (target, quantity, client) = match words {
            [target, "to", quantity] => (target, quantity, None),
            [target, "to", quantity, client] => (target, quantity, client.strip_prefix("client=")),
            _ => return Err("write `amend LABEL to 2`".to_owned()),
        };
        let request = AmendOrder {
            symbol: self.symbol,
            target: self.target(&[target])?,
            quantity: parse(quantity)?,
            client_order_id: client.map(parse).transpose()?,
        };
        self.apply(account, &Command::Amend(request))
    }

    /// `amendments LABEL`.
    pub(super) fn amendments(&mut self, account: AccountId, label: &str) -> Row<String> {
        let (symbol, target) = (self.symbol, self.target(&[label])?);
        let found = self.exchange().amendments(account, symbol, target);
        Ok(found.map_or_else(refused, |all| {
            list(all.iter().map(|a| format!("{}->{}", short(a.quantity_before), short(a.quantity_after))))
        }))
    }

    /// `replace LABEL stop-on-failure|allow-failure [cancel-only] with b buy limit ..`.
    pub(super) fn replace(&mut self, account: AccountId, words: &[&str]) -> Row<String> {
        let at = words.iter().position(|word| *word == "with").ok_or("write `replace LABEL MODE with ..`")?;
        let (how, what) = words.split_at(at);
        let [_, label, side, rest @ ..] = what else { return Err("write `with LABEL buy ..`".to_owned()) };
        let [target, mode, more @ ..] = how else { return Err("write `replace LABEL MODE with ..`".to_owned()) };
        let order = self.order(side, rest)?;
        let target = self.target(&[target])?;
        let request = CancelReplace {
            cancel: CancelOrder { symbol: self.symbol, target, cancel_id: None, restriction: None },
            order,
            stop_on_failure: *mode == "stop-on-failure",
            cancel_when_limited: more == ["cancel-only"],
        };
        let next = OrderId(self.exchange().order_count() + 1);
        let told = self.apply(account, &Command::CancelReplace(Box::new(request)))?;
        if self.exchange().order_count() >= next.0 {
            self.labels.insert((*label).to_owned(), next);
        }
        Ok(told)
    }

    pub(super) fn describe_canceled(&self, canceled: &Canceled) -> String {
        match canceled {
            Canceled::Order(canceled) => {
                let by = canceled.cancel_id;
                let told = describe(&canceled.order);
                if by == ClientOrderId::for_cancel(canceled.order.id) { told } else { format!("{told} as {by}") }
            }
            Canceled::List { list: all, orders } => {
                let labels = list(orders.iter().map(|canceled| self.label(canceled.order.id)));
                format!("{} canceled: {labels}", self.describe_list(all))
            }
        }
    }

    pub(super) fn describe_list(&self, all: &OrderList) -> String {
        let labels = list(all.orders.iter().map(|(id, _)| self.label(*id)));
        format!("{}:{:?}:{}: {labels}", all.id, all.kind, all.order_status())
    }

    pub(super) fn describe_replaced(&self, replaced: &Replaced) -> String {
        let cancel = replaced.cancel.as_ref().map_or_else(|cause| refused(*cause), |done| self.describe_canceled(done));
        let order = match &replaced.order {
            None => "not attempted".to_owned(),
            Some(Ok(placed)) => describe(&placed.order),
            Some(Err(cause)) => refused(*cause),
        };
        format!("{cancel} / {order}")
    }
}

fn list_ref(words: &[&str]) -> Row<ListRef> {
    let name = |word: &str| word.strip_prefix("list=").map(parse::<ClientOrderId>);
    match words {
        [one] => match name(one) {
            Some(name) => Ok(ListRef::Client(name?)),
            None => Ok(ListRef::Id(ListId(parse(one)?))),
        },
        [id, one] => Ok(ListRef::Both(ListId(parse(id)?), name(one).ok_or("write list=name")??)),
        _ => Err(format!("no such list: {words:?}")),
    }
}
