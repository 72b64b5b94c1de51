//! Effects: what a tool does to orders and listen keys, and what its result says of that, as a manifest defines it.
//!
//! The guard learns from results only by this data. What a result does not say, or says otherwise than here, is not
//! known, and what is not known is held against the grant: an order may be open until it is told to be closed.

use rust_decimal::Decimal;
use serde_json::{Map, Value};

use crate::arguments::member;
use crate::condition::Cause;
use crate::decimal;
use crate::facts;
use crate::pointer::Pointer;

/// What a tool does.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Places an order.
    Places(Places),
    /// Cancels one order.
    Cancels(OneOrder),
    /// Cancels every open order of a symbol.
    CancelsAll(ManyOrders),
    /// Tells one order.
    Reads(OneOrder),
    /// Tells every open order, of a symbol if one is given.
    Lists(ManyOrders),
    /// Hands out a listen key; where in the result it stands.
    Issues(Pointer),
    /// Keeps a listen key alive; the argument that names it.
    Extends(String),
    /// Ends a listen key; the argument that names it.
    Closes(String),
}

/// A tool that places orders: which arguments mean what.
#[derive(Debug)]
pub(crate) struct Places {
    pub(crate) symbol: String,
    pub(crate) side: String,
    /// The words for the two sides.
    pub(crate) buy: String,
    pub(crate) sell: String,
    pub(crate) quantity: String,
    pub(crate) price: String,
    pub(crate) client_order_id: String,
    pub(crate) answer: Answer,
    /// When a failed result proves that nothing was placed.
    pub(crate) refused: Option<Refused>,
}

/// A tool that is about one order.
#[derive(Debug)]
pub(crate) struct OneOrder {
    pub(crate) symbol: String,
    pub(crate) order_id: String,
    pub(crate) client_order_id: String,
    pub(crate) answer: Answer,
    pub(crate) refused: Option<Refused>,
}

/// A tool that is about many orders.
#[derive(Debug)]
pub(crate) struct ManyOrders {
    pub(crate) symbol: String,
    /// Where in the result the list stands.
    pub(crate) items: Pointer,
    pub(crate) answer: Answer,
    /// After how long an order that was not answered can no longer arrive.
    pub(crate) late_ms: u64,
}

/// Where in a result, or in an item of it, an order is told: JSON pointers.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) symbol: Option<Pointer>,
    pub(crate) order_id: Option<Pointer>,
    pub(crate) client_order_id: Option<Pointer>,
    pub(crate) filled: Option<Pointer>,
    /// When the order was placed, in milliseconds since 1970.
    pub(crate) placed_at: Option<Pointer>,
    pub(crate) status: Option<Pointer>,
    /// The words of `status` for an order that may still trade, and for one that will not.
    pub(crate) open: Vec<String>,
    pub(crate) closed: Vec<String>,
}

/// A place in a failed result, and what stands there when the server has done nothing.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) at: Pointer,
    pub(crate) is: Value,
}

/// Which way an order trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Buy,
    Sell,
}

/// An order that a call would place.
#[derive(Debug, Clone)]
pub(crate) struct Intent {
    pub(crate) symbol: String,
    pub(crate) side: Side,
    /// `None` for an order that takes any price.
    pub(crate) price: Option<Decimal>,
    /// In units of 10⁻⁸; `None` for an order that does not say it.
    pub(crate) quantity: Option<u64>,
    pub(crate) client_order_id: Option<String>,
}

/// What a result tells of one order.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) symbol: Option<String>,
    pub(crate) order_id: Option<String>,
    pub(crate) client_order_id: Option<String>,
    /// In units of 10⁻⁸.
    pub(crate) filled: Option<u64>,
    pub(crate) placed_at: Option<u64>,
    pub(crate) is_closed: Option<bool>,
}

impl Places {
    /// The order that a call with `arguments` would place, or the argument that does not tell.
    pub(crate) fn intent(&self, arguments: &Map<String, Value>) -> Result<Intent, (&str, Cause)> {
        let symbol = text(arguments, &self.symbol)?.to_owned();
        let side = match text(arguments, &self.side)? {
            word if word == self.buy => Side::Buy,
            word if word == self.sell => Side::Sell,
            _ => return Err((self.side.as_str(), Cause::NoCase)),
        };
        let price = number(arguments, &self.price)?;
        let quantity = match number(arguments, &self.quantity)? {
            Some(quantity) => Some(exact_units(quantity).ok_or((self.quantity.as_str(), Cause::Digits))?),
            None => None,
        };
        let client_order_id = match member(arguments, &self.client_order_id) {
            Some(_) => Some(text(arguments, &self.client_order_id)?.to_owned()),
            None => None,
        };
        Ok(Intent { symbol, side, price, quantity, client_order_id })
    }
}

impl Answer {
    /// What `value` tells of an order. What is not there, or of another type than it should be, is not told.
    pub(crate) fn read(&self, value: &Value) -> Told {
        let at = |pointer: &Option<Pointer>| pointer.as_ref().and_then(|pointer| pointer.find(value));
        let status = at(&self.status).and_then(Value::as_str);
        let is_one_of = |words: &[String]| status.is_some_and(|status| words.iter().any(|word| word == status));
        Told {
            symbol: at(&self.symbol).and_then(Value::as_str).map(str::to_owned),
            order_id: at(&self.order_id).and_then(id_text),
            client_order_id: at(&self.client_order_id).and_then(id_text),
            filled: at(&self.filled).and_then(|value| decimal::of_value(value).ok()).and_then(exact_units),
            placed_at: at(&self.placed_at).and_then(Value::as_u64),
            is_closed: match (is_one_of(&self.open), is_one_of(&self.closed)) {
                (false, true) => Some(true),
                (true, false) => Some(false),
                _ => None,
            },
        }
    }
}

impl Refused {
    /// Whether `value` proves that the server has done nothing.
    pub(crate) fn holds(&self, value: Option<&Value>) -> bool {
        value.and_then(|value| self.at.find(value)) == Some(&self.is)
    }
}

/// An id as text: a string by its bytes, a whole number by its digits.
pub(crate) fn id_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => number.as_u64().map(|id| id.to_string()),
        _ => None,
    }
}

fn text<'a, 'n>(arguments: &'a Map<String, Value>, name: &'n str) -> Result<&'a str, (&'n str, Cause)> {
    match member(arguments, name) {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err((name, Cause::Type)),
        None => Err((name, Cause::Missing)),
    }
}

fn number<'n>(arguments: &Map<String, Value>, name: &'n str) -> Result<Option<Decimal>, (&'n str, Cause)> {
    member(arguments, name).map(facts::unsigned).transpose().map_err(|cause| (name, cause))
}

/// A decimal without a sign in units of 10⁻⁸, if it is a whole number of them.
fn exact_units(number: Decimal) -> Option<u64> {
    let fine = number.normalize().scale() > facts::UNIT_DIGITS;
    if fine || (number.is_sign_negative() && !number.is_zero()) { None } else { facts::units(number).ok() }
}
