//! The `rogue` command.
fn main() {}
