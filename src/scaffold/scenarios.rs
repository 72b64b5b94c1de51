//! Every file beneath `scenarios` is one test: `cargo test`, or `cargo test -- too-large`.

fn main() -> std::process::ExitCode {
    rogue_harness::testing::scenarios(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios"))
}
