//! What was learnt of grants, as notes.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::orders::{Order, Standing};
use super::{Count, LISTEN_KEYS_MAX, PRIORS_MAX, Prior, Register, Registers, measure};
use crate::effects::Side;
use crate::jcs::Digest;
use crate::notes::{BadNote, Note, NoteKind, text};

/// One thing that is known of a grant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Item {
    Order(u64),
    Exposure(Arc<str>),
    Prior(u64),
    ListenKey(Digest),
    /// Cancels or trades of one granule, in the window of that length.
    Ratio(u64, Count, u64),
}

/// What has changed since notes of it were last taken; nothing unless they are kept.
#[derive(Debug, Default)]
pub(super) struct Marks {
    are_kept: bool,
    items: BTreeSet<Item>,
}

impl Marks {
    pub(super) fn mark(&mut self, item: impl FnOnce() -> Item) {
        if self.are_kept {
            self.items.insert(item());
        }
    }

    pub(super) fn mark_all(&mut self, items: impl IntoIterator<Item = Item>) {
        if self.are_kept {
            self.items.extend(items);
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OrderNote<'a> {
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    buys: bool,
    #[serde(borrow)]
    price: Option<Cow<'a, str>>,
    /// In units of 10⁻⁸, as all amounts.
    quantity: Option<u64>,
    filled: u64,
    /// As the how many-th of the grant it was over.
    over: Option<u64>,
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    /// Whether its id, and its name, are no later order's.
    by_id: bool,
    by_name: bool,
    #[serde(borrow)]
    asset: Option<Cow<'a, str>>,
    placed_at: u64,
    standing: StandingNote,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StandingNote {
    /// Of a call that is under way: whoever reads this can no longer hear of it.
    Doubtful,
    Confirmed,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PriorNote<'a> {
    at: u64,
    #[serde(borrow)]
    digest: Cow<'a, str>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListenKeyNote {
    number: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RatioNote {
    at: u64,
    amount: u64,
}

impl Registers {
    pub(crate) fn keep_notes(&mut self) {
        self.noted.get_or_insert_default();
        for register in self.grants.values_mut() {
            register.keep_notes();
        }
    }

    pub(crate) fn take_notes(&mut self) -> Vec<Note> {
        let mut notes = Vec::new();
        for grant in self.noted.as_mut().map(std::mem::take).into_iter().flatten() {
            let Some(register) = self.grants.get_mut(&*grant) else { continue };
            let items = std::mem::take(&mut register.marks.items);
            let of_orders = std::mem::take(&mut register.orders.marks.items);
            notes.extend(items.iter().chain(&of_orders).map(|item| register.note(&grant, item)));
        }
        notes
    }

    pub(crate) fn notes(&self) -> Vec<Note> {
        let mut notes = Vec::new();
        for (grant, register) in &self.grants {
            notes.extend(register.everything().iter().map(|item| register.note(grant, item)));
        }
        notes
    }

    /// Takes up what was noted. What is to be forgotten, and the latest time that is spoken of.
    pub(crate) fn restore(&mut self, notes: Vec<Note>, ratios: &[u64]) -> Result<(Vec<Note>, u64), BadNote> {
        let mut by_grant: BTreeMap<String, Vec<Note>> = BTreeMap::new();
        for note in notes {
            by_grant.entry(note.about.grant.clone()).or_default().push(note);
        }
        let (mut forgotten, mut latest) = (Vec::new(), 0);
        for (grant, notes) in by_grant {
            let mut register = Register::default();
            latest = latest.max(register.restore(&notes, ratios, &mut forgotten)?);
            if self.noted.is_some() {
                register.keep_notes();
            }
            self.grants.insert(grant.into(), register);
        }
        Ok((forgotten, latest))
    }
}

impl Register {
    pub(super) fn keep_notes(&mut self) {
        self.marks.are_kept = true;
        self.orders.marks.are_kept = true;
    }

    /// Everything that there are notes of.
    fn everything(&self) -> Vec<Item> {
        let orders = self.orders.numbers().map(Item::Order);
        let exposures = self.orders.exposures().keys().map(|asset| Item::Exposure(Arc::clone(asset)));
        let priors = self.priors.iter().map(|prior| Item::Prior(prior.number));
        let keys = self.listen_keys.iter().map(|(_, digest)| Item::ListenKey(*digest));
        let mut items: Vec<Item> = orders.chain(exposures).chain(priors).chain(keys).collect();
        for (length, ratio) in &self.ratios {
            for which in [Count::Cancels, Count::Fills] {
                let granules = ratio.window(which).granules(measure(*length));
                items.extend(granules.map(|(granule, ..)| Item::Ratio(*length, which, granule)));
            }
        }
        items
    }

    fn note(&self, grant: &str, item: &Item) -> Note {
        match item {
            Item::Order(number) => Note::new(NoteKind::Order, grant, number, self.order(*number)),
            Item::Exposure(asset) => {
                let exposure = self.orders.exposures().get(asset).and_then(text);
                Note::new(NoteKind::Exposure, grant, asset, exposure)
            }
            Item::Prior(number) => {
                let prior = self.priors.iter().find(|prior| prior.number == *number);
                let value = prior.and_then(|Prior { at, digest, .. }| {
                    text(&PriorNote { at: *at, digest: hex::encode(digest).into() })
                });
                Note::new(NoteKind::Prior, grant, number, value)
            }
            Item::ListenKey(digest) => {
                let number = self.listen_keys.iter().find(|(_, other)| other == digest).map(|(number, _)| *number);
                let value = number.and_then(|number| text(&ListenKeyNote { number }));
                Note::new(NoteKind::ListenKey, grant, hex::encode(digest), value)
            }
            Item::Ratio(length, which, granule) => {
                let window = self.ratios.get(length).map(|ratio| ratio.window(*which));
                let found = window.and_then(|window| window.in_granule(measure(*length), *granule));
                let value = found.and_then(|(at, amount)| text(&RatioNote { at, amount }));
                Note::new(NoteKind::Ratio, grant, format!("{length}/{}/{granule}", which.name()), value)
            }
        }
    }

    fn order(&self, number: u64) -> Option<String> {
        let (order, by_id, by_name) = self.orders.known(number)?;
        let borrowed = |text: &'_ Option<Box<str>>| text.as_deref().map(|text| text.to_owned().into());
        text(&OrderNote {
            symbol: (&*order.symbol).into(),
            buys: order.side == Side::Buy,
            price: order.price.map(|price| price.to_string().into()),
            quantity: order.quantity,
            filled: order.filled,
            over: order.over,
            id: borrowed(&order.id),
            name: borrowed(&order.client_id),
            by_id,
            by_name,
            asset: order.asset.as_deref().map(Into::into),
            placed_at: order.placed_at,
            standing: match order.standing {
                Standing::UnderWay | Standing::Doubtful => StandingNote::Doubtful,
                Standing::Confirmed(_) => StandingNote::Confirmed,
            },
        })
    }

    fn restore(&mut self, notes: &[Note], ratios: &[u64], forgotten: &mut Vec<Note>) -> Result<u64, BadNote> {
        let mut latest = 0;
        let mut exposures = BTreeMap::new();
        let mut granules = Vec::new();
        for note in notes {
            let (kind, key) = (note.about.kind, note.about.key.as_str());
            let number = || key.parse().map_err(|_| BadNote::new(kind, "its number is none"));
            match kind {
                NoteKind::Order => {
                    let OrderNote { by_id, by_name, .. } = note.read()?;
                    let order = order_of(note)?;
                    latest = latest.max(order.placed_at);
                    self.orders.take_up(number()?, order, by_id, by_name);
                }
                NoteKind::Exposure => {
                    exposures.insert(Arc::from(key), note.read()?);
                }
                NoteKind::Prior => {
                    let PriorNote { at, digest } = note.read()?;
                    latest = latest.max(at);
                    self.priors.push_back(Prior { number: number()?, at, digest: digest_of(kind, &digest)? });
                }
                NoteKind::ListenKey => {
                    let ListenKeyNote { number } = note.read()?;
                    self.listen_keys.push_back((number, digest_of(kind, key)?));
                }
                NoteKind::Ratio => {
                    let RatioNote { at, amount } = note.read()?;
                    let (length, which) = ratio_of(key).ok_or(BadNote::new(kind, "its window is none"))?;
                    if ratios.contains(&length) {
                        latest = latest.max(at);
                        granules.push((at, length, which, amount));
                    } else {
                        forgotten.push(Note::forgotten(note.about.clone()));
                    }
                }
                NoteKind::Breaker => return Err(BadNote::new(kind, "it is no grant's")),
            }
        }
        self.priors.make_contiguous().sort_unstable_by_key(|prior| (prior.at, prior.number));
        self.listen_keys.make_contiguous().sort_unstable();
        if self.priors.len() > PRIORS_MAX || self.listen_keys.len() > LISTEN_KEYS_MAX {
            return Err(BadNote::new(NoteKind::Prior, "there are more than are ever kept"));
        }
        let priors = self.priors.iter().map(|prior| prior.number);
        self.numbered = priors.chain(self.listen_keys.iter().map(|(number, _)| *number)).max().unwrap_or_default();
        granules.sort_unstable_by_key(|(at, ..)| *at);
        for (at, length, which, amount) in granules {
            let window = self.ratios.entry(length).or_default().window_mut(which);
            window.charge(measure(length), at, amount);
        }
        if !self.orders.take_up_exposures(exposures) {
            return Err(BadNote::new(NoteKind::Exposure, "it does not go with the open orders"));
        }
        Ok(latest)
    }
}

fn order_of(note: &Note) -> Result<Order, BadNote> {
    let OrderNote { symbol, buys, price, quantity, filled, over, id, name, asset, placed_at, standing, .. } =
        note.read()?;
    let price = price.map(|price| Decimal::from_str_exact(&price)).transpose();
    let boxed = |text: Option<Cow<'_, str>>| text.map(|text| Box::from(&*text));
    Ok(Order {
        symbol: Box::from(&*symbol),
        side: if buys { Side::Buy } else { Side::Sell },
        price: price.map_err(|_| BadNote::new(note.about.kind, "its price is none"))?,
        quantity,
        filled,
        over,
        id: boxed(id),
        client_id: boxed(name),
        asset: asset.map(|asset| Arc::from(&*asset)),
        placed_at,
        standing: match standing {
            StandingNote::Doubtful => Standing::Doubtful,
            // Before every list that is asked for from now on.
            StandingNote::Confirmed => Standing::Confirmed(0),
        },
    })
}

fn digest_of(kind: NoteKind, text: &str) -> Result<Digest, BadNote> {
    let mut digest = Digest::default();
    hex::decode_to_slice(text, &mut digest).map_err(|_| BadNote::new(kind, "its digest is none"))?;
    Ok(digest)
}

/// The window and what it counts, of the key of a note.
fn ratio_of(key: &str) -> Option<(u64, Count)> {
    let mut parts = key.split('/');
    let length = parts.next()?.parse().ok()?;
    Some((length, Count::named(parts.next()?)?))
}
