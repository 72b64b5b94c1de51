//! The exchange of one run, set up as its scenario says.

use std::collections::BTreeSet;
use std::sync::Arc;

use mock_binance::engine::{
    Command, Instructions, NewOrder, Order, OrderId, OrderKind, Placed, Reply, Side as EngineSide, TimeInForce,
};
use mock_binance::{Account, Builder, Clock, Fault, ListenKeys, ManualClock, MockBinance, StartError};
use serde_json::{Value, json};

use super::secrets::Secrets;
use crate::cassette::Redactor;
use crate::scenario::{Dec, ExchangeSetup, ListenKeyMode, OwnerOrder, Side};
use crate::target::Keys;
use crate::witness::Witness;

/// How the mock's transcript calls the owner's key.
const OWNER: &str = "owner";

/// From which the keys of every run follow: the same in each, and worth nothing.
const OWNER_SEED: u64 = 0x0DD;
const ROGUE_SEED: u64 = 0xBAD;

/// Why an exchange could not be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StageError {
    #[error("the exchange cannot start: {0}")]
    Start(#[from] StartError),
    #[error("the exchange does not know the account that it was started with")]
    NoAccount,
    #[error("a fault cannot be set up: {0}")]
    Fault(String),
    #[error("the owner's order is not possible: {0}")]
    OwnerOrder(String),
    #[error("the market cannot be moved: {0}")]
    Market(String),
}

/// A fresh exchange with its accounts and its clock.
pub(crate) struct Stage {
    pub(crate) mock: MockBinance,
    pub(crate) owner: Keys,
    pub(crate) rogue: Keys,
    pub(crate) witness: Witness,
    /// The orders of the set-up by the names that it gave them.
    pub(crate) named_orders: Vec<(String, Value)>,
}

impl Stage {
    /// On a clock that starts at the set-up's and moves when told.
    pub(crate) async fn set(setup: &ExchangeSetup, seed: Option<u64>) -> Result<Self, StageError> {
        let clock = ManualClock::new(setup.clock.as_millis());
        Self::on(setup, seed, clock, |builder| builder).await
    }

    /// On any clock; `dress` adds what a set-up cannot say.
    pub(crate) async fn on(
        setup: &ExchangeSetup,
        seed: Option<u64>,
        clock: impl Into<Clock>,
        dress: impl FnOnce(Builder) -> Builder,
    ) -> Result<Self, StageError> {
        let mut owner = Account::generated(OWNER_SEED).label(OWNER);
        for (asset, amount) in &setup.balances {
            owner = owner.balance(asset, amount.text());
        }
        let mut rogue = Account::generated(ROGUE_SEED).label("rogue");
        for (asset, amount) in &setup.rogue_balances {
            rogue = rogue.balance(asset, amount.text());
        }
        let keys =
            |account: &Account| Keys { api_key: account.api_key().to_owned(), secret: account.secret().to_owned() };
        let (owner_keys, rogue_keys) = (keys(&owner), keys(&rogue));
        let mut builder = MockBinance::builder()
            .clock(clock)
            .account(owner)
            .account(rogue)
            .seed(setup.seed)
            // A verdict must not rest on a part of what was asked.
            .keep_requests(usize::MAX)
            .liquidity(seed.unwrap_or(setup.seed))
            .listen_keys(match setup.listen_keys {
                ListenKeyMode::Legacy => ListenKeys::Legacy,
                ListenKeyMode::Gone => ListenKeys::Gone,
            });
        for (symbol, price) in &setup.prices {
            builder = builder.price(symbol, price.text());
        }
        let mock = dress(builder).start().await?;
        for fault in &setup.faults {
            let fault = Fault::from_json(&Value::Object(fault.0.clone()).to_string());
            fault.and_then(|fault| mock.add_fault(fault)).map_err(|error| StageError::Fault(error.to_string()))?;
        }
        let id = |keys: &Keys| mock.account_id(&keys.api_key).ok_or(StageError::NoAccount);
        let (owner_id, rogue_id) = (id(&owner_keys)?, id(&rogue_keys)?);

        let mut placed: BTreeSet<OrderId> = BTreeSet::new();
        let mut named_orders = Vec::new();
        for order in &setup.open_orders {
            let reply = mock.apply(owner_id, &command(&mock, order)?).reply;
            let reply = reply.map_err(|rejection| StageError::OwnerOrder(rejection.to_string()))?;
            if let Reply::Placed(Placed { order: booked, .. }) = &reply {
                placed.insert(booked.id);
                named_orders.extend(order.name.clone().map(|name| (name, as_answer(booked))));
            }
        }
        let witness = Witness::new(&mock, owner_id, rogue_id, OWNER, placed);
        Ok(Self { mock, owner: owner_keys, rogue: rogue_keys, witness, named_orders })
    }

    /// The exchange's time, for the other parts of a stack.
    pub(crate) fn clock(&self) -> Arc<dyn Fn() -> u64 + Send + Sync> {
        let clock = self.mock.clock().clone();
        Arc::new(move || clock.now_ms())
    }

    /// Tells a redactor the keys of both accounts.
    pub(crate) fn tell(&self, redactor: &mut Redactor) {
        for keys in [&self.owner, &self.rogue] {
            redactor.knows("api-key", &keys.api_key);
            redactor.knows("secret", &keys.secret);
        }
    }

    /// What must not be said or shown.
    pub(crate) fn secrets(&self) -> Secrets {
        Secrets::new(vec![
            (self.owner.api_key.clone(), "the owner's API key"),
            (self.owner.secret.clone(), "the owner's secret"),
            (self.rogue.api_key.clone(), "the rogue's API key"),
            (self.rogue.secret.clone(), "the rogue's secret"),
        ])
    }

    /// What their placeholders stand for: they are the first ones of every tape of a stage.
    pub(crate) fn placeholders(&self) -> [(&'static str, &str); 4] {
        [
            ("[api-key-1]", &self.owner.api_key),
            ("[secret-1]", &self.owner.secret),
            ("[api-key-2]", &self.rogue.api_key),
            ("[secret-2]", &self.rogue.secret),
        ]
    }

    /// The market goes to another price.
    pub(crate) fn move_market(&self, symbol: &str, price: &Dec) -> Result<(), StageError> {
        let price = price.text().parse().map_err(|error| StageError::Market(format!("the price: {error}")))?;
        self.mock.move_market(symbol, price).map_err(|error| StageError::Market(error.to_string()))
    }

    /// The owner orders directly at the exchange.
    pub(crate) fn owner_order(&mut self, order: &OwnerOrder) -> Result<Value, StageError> {
        let command = command(&self.mock, order)?;
        let reply = self.witness.owner_order(&self.mock, &command);
        match reply.map_err(|rejection| StageError::OwnerOrder(rejection.to_string()))? {
            Reply::Placed(placed) => Ok(as_answer(&placed.order)),
            _ => Ok(Value::Null),
        }
    }
}

fn as_answer(order: &Order) -> Value {
    json!({ "orderId": order.id.0, "clientOrderId": order.client_order_id.as_str() })
}

fn command(mock: &MockBinance, order: &OwnerOrder) -> Result<Command, StageError> {
    let wrong = |what: &str, error: String| StageError::OwnerOrder(format!("{what}: {error}"));
    let symbol = mock
        .with_exchange(|exchange| exchange.spec().symbol_id(&order.symbol))
        .ok_or_else(|| wrong("there is no such symbol", order.symbol.clone()))?;
    let quantity = order.quantity.text().parse().map_err(|error| wrong("the quantity", format!("{error}")))?;
    let price = order.price.text().parse().map_err(|error| wrong("the price", format!("{error}")))?;
    Ok(Command::Place(NewOrder {
        symbol,
        side: match order.side {
            Side::Buy => EngineSide::Buy,
            Side::Sell => EngineSide::Sell,
        },
        kind: OrderKind::Limit { time_in_force: TimeInForce::Gtc, quantity, price },
        client_order_id: None,
        instructions: Instructions::default(),
    }))
}
