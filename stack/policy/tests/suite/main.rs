//! The crate from outside: documents in, decisions out.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a check outside a `#[test]` fails by panicking too"
)]

mod desk;
mod support;

mod published;

mod defects;
mod precedence;
mod settle;

mod approvals;
mod breakers;
mod conditions;
mod docs;
mod documents;
mod groups;
mod includes;
mod methods;
mod patterns;
mod prices;
mod schema_2;
mod sequences;
mod spanning;
mod strict;
mod version_2;
mod warnings;

mod carry;
mod cases;
mod exchange;
mod notes;
mod oracle;
mod oracle_2;
mod oracle_2_case;
mod oracle_2_play;
mod scale;

#[cfg(feature = "mutants")]
mod mutants;
