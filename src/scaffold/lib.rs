//! Nothing ships from here: the tests are what this crate is for.
