//! Money in and out.

use crate::fact::Fact;
use crate::ids::{AccountId, AssetId};
use crate::money::Amount;
use crate::rejection::Rejection;
use crate::state::{Purse, State};

/// The purse that money would move in or out of.
fn purse(state: &State, account: AccountId, asset: AssetId, amount: Amount) -> Result<&Purse, Rejection> {
    let known = state.account(account).filter(|_| account != AccountId::FEES).ok_or(Rejection::UnknownAccount)?;
    let purse = known.purse(asset).ok_or(Rejection::UnknownAsset)?;
    if amount.is_positive() { Ok(purse) } else { Err(Rejection::InvalidQuantity) }
}

pub(crate) fn deposit(state: &State, account: AccountId, asset: AssetId, amount: Amount) -> Result<Fact, Rejection> {
    purse(state, account, asset, amount)?;
    // No balance can overflow as long as the sum of all cannot.
    state.supply(asset).ok_or(Rejection::UnknownAsset)?.checked_add(amount)?;
    Ok(Fact::Deposited { account, asset, amount })
}

pub(crate) fn withdraw(state: &State, account: AccountId, asset: AssetId, amount: Amount) -> Result<Fact, Rejection> {
    if purse(state, account, asset, amount)?.free < amount {
        return Err(Rejection::InsufficientBalance);
    }
    Ok(Fact::Withdrawn { account, asset, amount })
}
