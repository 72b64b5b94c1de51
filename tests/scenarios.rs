//! Every scenario file is one test: `cargo test --test scenarios`, or any of them by name.

fn main() -> std::process::ExitCode {
    rogue_harness::testing::scenarios(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios"))
}
