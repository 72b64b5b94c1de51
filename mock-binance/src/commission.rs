//! What trading costs in a mock, and how rates are written as text.

use exchange_engine::{Commissions, DiscountReading, ParseDecimalError, Rates, Ratio};

/// One rate of the three kinds, for one symbol or all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommissionRate {
    /// The symbol; all of them when nothing is said.
    pub symbol: Option<String>,
    kind: Kind,
    role: Role,
    rate: Ratio,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Standard,
    Special,
    Tax,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Maker,
    Taker,
    Buyer,
    Seller,
}

impl CommissionRate {
    pub(crate) fn set(&self, commissions: &mut Commissions) {
        let rates = match self.kind {
            Kind::Standard => &mut commissions.standard,
            Kind::Special => &mut commissions.special,
            Kind::Tax => &mut commissions.tax,
        };
        let Rates { maker, taker, buyer, seller } = rates;
        let rate = match self.role {
            Role::Maker => maker,
            Role::Taker => taker,
            Role::Buyer => buyer,
            Role::Seller => seller,
        };
        *rate = self.rate;
    }
}

/// A text that is no commission rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommissionError {
    /// Not of the form that is expected.
    #[error(
        "`{0}` is no rate: write KIND.ROLE=RATE, such as tax.seller=0.001, after SYMBOL: when it is for one symbol"
    )]
    Form(String),
    /// No kind of this name.
    #[error("there is no kind of commission `{0}`: write standard, special or tax")]
    Kind(String),
    /// No role of this name.
    #[error("nobody pays commission as `{0}`: write maker, taker, buyer or seller")]
    Role(String),
    /// A rate that is no decimal.
    #[error("the rate is `{text}`: {source}")]
    Rate {
        /// What was given.
        text: String,
        /// What is wrong with it.
        source: ParseDecimalError,
    },
    /// A reading of a discount that is none.
    #[error("`{0}` is no reading of a discount: write RATE:paid, where the rate is what is left to pay, or RATE:off")]
    Reading(String),
}

/// Reads a rate.
///
/// ```
/// assert!(mock_binance::commission_rate("standard.taker=0.00075").is_ok());
/// assert!(mock_binance::commission_rate("BTCUSDT:tax.seller=0.001").is_ok());
/// assert_eq!(
///     mock_binance::commission_rate("vat.seller=0.001").unwrap_err().to_string(),
///     "there is no kind of commission `vat`: write standard, special or tax"
/// );
/// ```
pub fn commission_rate(text: &str) -> Result<CommissionRate, CommissionError> {
    let form = || CommissionError::Form(text.to_owned());
    let (symbol, rest) = match text.split_once(':') {
        Some((symbol, rest)) if !symbol.is_empty() => (Some(symbol.to_owned()), rest),
        Some(_) => return Err(form()),
        None => (None, text),
    };
    let (path, rate) = rest.split_once('=').ok_or_else(form)?;
    let (kind, role) = path.split_once('.').ok_or_else(form)?;
    let kind = match kind {
        "standard" => Kind::Standard,
        "special" => Kind::Special,
        "tax" => Kind::Tax,
        _ => return Err(CommissionError::Kind(kind.to_owned())),
    };
    let role = match role {
        "maker" => Role::Maker,
        "taker" => Role::Taker,
        "buyer" => Role::Buyer,
        "seller" => Role::Seller,
        _ => return Err(CommissionError::Role(role.to_owned())),
    };
    Ok(CommissionRate { symbol, kind, role, rate: ratio(rate)? })
}

/// Reads a discount, such as `0.75` or `0.25:off`.
///
/// ```
/// use mock_binance::engine::DiscountReading;
///
/// assert_eq!(mock_binance::bnb_discount("0.75")?.1, DiscountReading::Paid);
/// assert_eq!(mock_binance::bnb_discount("0.25:off")?.1, DiscountReading::TakenOff);
/// # Ok::<(), mock_binance::CommissionError>(())
/// ```
pub fn bnb_discount(text: &str) -> Result<(Ratio, DiscountReading), CommissionError> {
    let (rate, reading) = text.split_once(':').unwrap_or((text, "paid"));
    let reading = match reading {
        "paid" => DiscountReading::Paid,
        "off" => DiscountReading::TakenOff,
        _ => return Err(CommissionError::Reading(reading.to_owned())),
    };
    Ok((ratio(rate)?, reading))
}

fn ratio(text: &str) -> Result<Ratio, CommissionError> {
    text.parse().map_err(|source| CommissionError::Rate { text: text.to_owned(), source })
}
