//! The exchange before the first step: clock, accounts, prices, resting orders.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Args, Dec, UtcTime};

/// The exchange before the first step. Every key may be left out.
///
/// Each run (control, protected, twin) gets a fresh exchange of this shape, so nothing leaks from one to the
/// next. All clocks of the run, those of the gateway and of the MCP server too, start at `clock` and move only
/// by `advance` steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ExchangeSetup {
    /// The moment at which all clocks start.
    pub clock: UtcTime,
    /// Seeds the book's liquidity. The same seed gives the same books.
    pub seed: u64,
    /// The owner's free balances by asset: the account whose keys the MCP server holds.
    pub balances: BTreeMap<String, Dec>,
    /// Reference prices by symbol: books are built round them, and equity is measured at them before and after.
    pub prices: BTreeMap<String, Dec>,
    /// Whether user data streams by listen key exist.
    pub listen_keys: ListenKeyMode,
    /// Orders of the owner that rest in the book before the run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub open_orders: Vec<OwnerOrder>,
    /// What goes wrong between the exchange and whoever asks it, in the words of the mock's faults (`docs/faults.md`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Args>,
    /// Free balances of the rogue's own account, whose keys a script may use as `${rogue.api_key}` and
    /// `${rogue.secret}`. The account always exists; without this key it is empty.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rogue_balances: BTreeMap<String, Dec>,
}

impl Default for ExchangeSetup {
    fn default() -> Self {
        let dec = |units: i64, scale: u32| Dec::from(Decimal::new(units, scale));
        Self {
            clock: UtcTime::from_millis(1_767_571_200_000),
            seed: 7,
            balances: BTreeMap::from([("USDT".to_owned(), dec(100_000, 0)), ("BTC".to_owned(), dec(2, 0))]),
            prices: BTreeMap::from([("BTCUSDT".to_owned(), dec(6_000_000, 2))]),
            listen_keys: ListenKeyMode::Legacy,
            open_orders: Vec::new(),
            faults: Vec::new(),
            rogue_balances: BTreeMap::new(),
        }
    }
}

/// Whether the exchange still issues listen keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ListenKeyMode {
    /// Issued, good for 60 minutes, as before 2026-02-20.
    #[default]
    Legacy,
    /// The endpoints answer 410, as today's exchange does.
    Gone,
}

/// A LIMIT order that the owner places at the exchange directly, past any MCP server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnerOrder {
    /// The symbol, for example `BTCUSDT`.
    pub symbol: String,
    /// Which side.
    pub side: Side,
    /// How much of the base asset.
    pub quantity: Dec,
    /// The limit price.
    pub price: Dec,
    /// A name under which later steps read the order: `${name.orderId}`, `${name.clientOrderId}`.
    #[serde(rename = "as", default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// The side of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Side {
    /// Buys the base asset.
    Buy,
    /// Sells the base asset.
    Sell,
}
