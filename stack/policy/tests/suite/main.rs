//! The crate from outside: documents in, decisions out.

mod support;

mod published;
