# One door for chores; CI uses the same doors. `just` alone lists them.

set shell := ["bash", "-euo", "pipefail", "-c"]

_default:
    @just --list

# Run every rogue agent against the full stack and print what the policy saved.
run *ARGS:
    cargo run --release -- {{ARGS}}

# Unit, property and scenario tests.
test *ARGS:
    cargo test --workspace {{ARGS}}

# The same tests, one process each. `just nextest --workspace --test scenarios` runs the scenarios alone.
nextest *ARGS:
    cargo nextest run {{ARGS}}

# Format in place.
fmt:
    cargo fmt --all

# Formatting, lints, and the build of the harness without our own stack.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings
    cargo clippy -p rogue-harness --no-default-features --locked -- -D warnings
    cargo clippy -p mcp-gateway --no-default-features --locked -- -D warnings
    cargo clippy -p mcp-gateway --no-default-features --features cli --locked -- -D warnings

# Documentation, with every warning an error.
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

# Licences, sources and bans of dependencies.
deny:
    cargo deny --all-features check bans licenses sources

# Every bench, measured. `just bench policy` runs one.
bench *ARGS:
    cargo bench {{ARGS}}

# Every bench once, unmeasured, to see that it runs.
bench-smoke:
    cargo test --locked --workspace --bench '*'

# What the mock bears, against its targets: speed, memory, REST, subscribers. `just load --small` is the form for CI.
load *ARGS:
    cargo run --release --locked -q -p mock-binance --example load -- {{ARGS}}

# What the gateway costs, against its targets: the same calls directly and through it, over every transport; 64 KiB; readiness,
# memory, a soak. `just hop --part calls --cores all` measures one part as the system places it.
hop *ARGS:
    cargo build --release --locked -q -p mcp-gateway --bin mcp-gateway --example hop
    "${CARGO_TARGET_DIR:-target}/release/examples/hop" {{ARGS}}

# Sixty-four sessions with a server that fails, in the build of the tests: every call is answered once and recorded.
soak:
    cargo build --locked --workspace --bins --examples
    "${CARGO_TARGET_DIR:-target}/debug/examples/hop" --part soak --small --cores all

# The guard against the second implementations of its language, 100,000 random histories each: for the night.
oracle CASES="100000":
    PROPTEST_CASES={{CASES}} cargo test --release --locked -p mcp-policy --test suite the_guard_decides

# The 23-tool server with HTTPS, as it is deployed.
tls:
    cargo check -p binance-mcp --features tls --locked

# Everything that must hold before a change lands.
ci: lint
    cargo test --workspace --locked
    just soak
    just main-job
    just mutate
    just scaffold
    just over-http
    just doc
    just deny
    just tls
    just bench-smoke
    just load --small
    just nextest --locked --workspace --test scenarios

# Real, unmodified clients in Python against the mock; they are installed under the target folder.
clients:
    mock-binance/clients/run

# Real, unmodified MCP clients through the gateway, over standard streams and HTTP; installed under the target folder.
mcp-clients:
    stack/gateway/clients/run

# The official conformance suite of MCP, with and without the gateway; installed under the target folder.
conformance:
    stack/gateway/conformance/run

# The shipped tapes, recorded anew; a test holds what is kept against what is recorded today.
tapes:
    ROGUE_WRITE_TAPES=1 cargo test --locked --test shipped -- --exact the_shipped_tapes_are_what_is_recorded_today

# A server of another hand, from PyPI, recorded, cut, compared and played again; installed under the target folder.
third-party:
    harness/clients/run

# Gateways of other hands under every scenario, and docs/gateways.md anew; they are installed under the target folder. Slow: for
# a release. `just foreign skynt` runs one.
foreign *NAMES:
    scenarios/targets/run {{NAMES}}

# Real gateways that share a real Redis, which is installed where it is missing.
shared:
    stack/gateway/shared/run

# The report and the admin page in a real Chromium, which is installed where it is missing. `just browser --write-pictures` renews
# those of the README.
browser *ARGS:
    tests/browser/run {{ARGS}}

# mcpsec, a suite of others for gateways, against ours, and docs/mcpsec.md anew; built and installed under the target folder. Slow.
mcpsec:
    stack/gateway/mcpsec/run

# The same agents over HTTP: a socket, a token and a session between them and the gateway.
over-http:
    cargo run --release --locked -- run --target http --color never

# The shipped policies, weakened rule by rule: each weakening is noticed by a scenario or has a reason.
mutate:
    cargo run --release --locked -q -- mutate --policy scenarios/policies/binance.json --equivalent scenarios/policies/binance.equivalent.yaml --color never
    cargo run --release --locked -q -- mutate --policy scenarios/policies/binance-v1.json --equivalent scenarios/policies/binance-v1.equivalent.yaml --color never

# What `rogue new` writes, built and tested as the repository of its own that it is.
scaffold:
    rm -rf target/scaffold
    cargo run --release --locked -q -- new target/scaffold --harness-path harness
    cp Cargo.lock target/scaffold/
    CARGO_TARGET_DIR=target cargo test --offline --manifest-path target/scaffold/Cargo.toml

# The README's first command: exit code 0 only if every attack is stopped and all honest work passes.
main-job:
    cargo run --release --locked -- run --color never
