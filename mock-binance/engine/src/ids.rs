//! Names for things: small copyable numbers, and the client's own name for an order.

use std::fmt;
use std::str::FromStr;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// An account, counted from 0 in the order of opening; 0 collects the commissions.
    AccountId(u32)
}
number! {
    /// An asset: its place in [`ExchangeSpec::assets`](crate::ExchangeSpec::assets).
    AssetId(u16)
}
number! {
    /// A symbol: its place in [`ExchangeSpec::symbols`](crate::ExchangeSpec::symbols).
    SymbolId(u16)
}
number! {
    /// An order, counted from 1 over the whole exchange; so ids grow within each symbol, with gaps.
    OrderId(u64)
}
number! {
    /// An order list, counted from 0 over the whole exchange.
    ListId(u32)
}
number! {
    /// A trade, counted from 0 within its symbol, without gaps.
    TradeId(u64)
}

impl AccountId {
    /// The account that receives every commission. It exists from the start and cannot trade.
    pub const FEES: Self = Self(0);
}

/// The longest client order id.
const CLIENT_ID_LEN_MAX: usize = 36;

/// A client's name for an order: 1 to 36 of letters, digits, `-` and `_`. Small enough to copy.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientOrderId {
    bytes: [u8; CLIENT_ID_LEN_MAX],
    len: u8,
}

/// A text that is no client order id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a client order id: write 1 to 36 letters, digits, `-` or `_`")]
pub struct InvalidClientOrderId;

impl ClientOrderId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        let used = self.bytes.get(..usize::from(self.len)).unwrap_or_default();
        std::str::from_utf8(used).unwrap_or_default()
    }

    /// The id given to an order that came without one: 22 letters and digits, a pure function of the number.
    pub fn for_order(order: OrderId) -> Self {
        Self::generated(order.0, ORDER_SALT)
    }

    /// The id given to the cancelling of an order when the request came without one.
    pub fn for_cancel(order: OrderId) -> Self {
        Self::generated(order.0, CANCEL_SALT)
    }

    /// The id given to an order list that came without one.
    pub fn for_list(list: ListId) -> Self {
        Self::generated(u64::from(list.0), LIST_SALT)
    }

    /// The id given to an order by an amendment that came without one; amendments of an order are counted from 1.
    pub fn for_amendment(order: OrderId, count: u32) -> Self {
        Self::generated(mix(order.0 ^ AMEND_SALT) ^ u64::from(count), AMEND_SALT)
    }

    /// The order whose generated id this is.
    pub(crate) fn generated_for(&self) -> Option<OrderId> {
        let mut value: u64 = 0;
        for byte in self.as_str().bytes().take(HALF) {
            let digit = ALPHABET.iter().position(|&a| a == byte)?;
            value = value.checked_mul(62)?.checked_add(u64::try_from(digit).ok()?)?;
        }
        let order = OrderId(unmix(value) ^ ORDER_SALT);
        (Self::for_order(order) == *self).then_some(order)
    }

    fn generated(number: u64, salt: u64) -> Self {
        let first = mix(number ^ salt);
        // Both halves in one loop: neither waits for the other's division.
        let [mut left, mut right] = [first, mix(first ^ salt.rotate_left(17))];
        let mut bytes = [0; CLIENT_ID_LEN_MAX];
        if let Some((slots, rest)) = bytes.split_first_chunk_mut::<HALF>()
            && let Some(others) = rest.first_chunk_mut::<HALF>()
        {
            for (slot, other) in slots.iter_mut().zip(others).rev() {
                (*slot, *other) = (letter(left % 62), letter(right % 62));
                left /= 62;
                right /= 62;
            }
        }
        Self { bytes, len: 22 }
    }
}

/// 62^11 is more than 2^64: eleven characters hold one number.
const HALF: usize = 11;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ORDER_SALT: u64 = 0x6f72_6465_7200_0001;
const CANCEL_SALT: u64 = 0x6361_6e63_656c_0002;
const LIST_SALT: u64 = 0x6c69_7374_0000_0003;
const AMEND_SALT: u64 = 0x616d_656e_6400_0004;
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
/// `MULTIPLIER * MULTIPLIER_INVERSE` is 1 modulo 2^64.
const MULTIPLIER_INVERSE: u64 = inverse(MULTIPLIER);

/// The character of a digit; a digit is below 62.
fn letter(digit: u64) -> u8 {
    usize::try_from(digit).ok().and_then(|digit| ALPHABET.get(digit)).copied().unwrap_or(b'0')
}

/// The inverse of an odd number modulo 2^64, by Newton's iteration: each round doubles the correct bits.
const fn inverse(odd: u64) -> u64 {
    let mut guess = odd;
    let mut round = 0;
    while round < 6 {
        guess = guess.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(guess)));
        round += 1;
    }
    guess
}

/// A bijection on 64 bits that scatters neighbours.
pub(crate) const fn mix(mut x: u64) -> u64 {
    x = x.wrapping_mul(MULTIPLIER);
    x ^= x >> 32;
    x = x.wrapping_mul(MULTIPLIER);
    x ^ (x >> 32)
}

const fn unmix(mut x: u64) -> u64 {
    x ^= x >> 32;
    x = x.wrapping_mul(MULTIPLIER_INVERSE);
    x ^= x >> 32;
    x.wrapping_mul(MULTIPLIER_INVERSE)
}

impl FromStr for ClientOrderId {
    type Err = InvalidClientOrderId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        let mut bytes = [0; CLIENT_ID_LEN_MAX];
        let slots = bytes.get_mut(..text.len()).ok_or(InvalidClientOrderId)?;
        if text.is_empty() || !text.bytes().all(legal) {
            return Err(InvalidClientOrderId);
        }
        slots.copy_from_slice(text.as_bytes());
        let len = u8::try_from(text.len()).map_err(|_| InvalidClientOrderId)?;
        Ok(Self { bytes, len })
    }
}

impl fmt::Display for ClientOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ClientOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_ids_are_validated() {
        assert_eq!("a-Z_9".parse::<ClientOrderId>().map(|id| id.to_string()), Ok("a-Z_9".to_owned()));
        for text in ["", "a b", "ä", "a.b", &"x".repeat(37)] {
            assert_eq!(text.parse::<ClientOrderId>(), Err(InvalidClientOrderId), "{text}");
        }
        assert!("x".repeat(36).parse::<ClientOrderId>().is_ok());
    }

    #[test]
    fn generated_ids_look_like_the_exchange_s_and_lead_back() {
        for number in [1, 2, 3, 1_000_000, u64::MAX] {
            let id = ClientOrderId::for_order(OrderId(number));
            assert_eq!(id.as_str().len(), 22);
            assert_eq!(id.as_str().parse(), Ok(id));
            assert_eq!(id.generated_for(), Some(OrderId(number)));
            assert_eq!(ClientOrderId::for_cancel(OrderId(number)).generated_for(), None);
            assert_eq!(ClientOrderId::for_amendment(OrderId(number), 1).generated_for(), None);
        }
        assert_eq!("mine".parse::<ClientOrderId>().unwrap().generated_for(), None);
    }
}
