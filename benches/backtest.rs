//! Judging recorded calls by another policy: calls a second, the reading of the tape included.
//!
//! `cargo bench --bench backtest`

#![allow(missing_docs, clippy::expect_used, reason = "a bench")]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use rogue_harness::backtest::Backtest;
use rogue_harness::cassette::{Direction, Header, Leg, Redactor, TapeReader, TapeWriter};

const SHIPPED: &str = include_str!("../scenarios/policies/binance-v1.json");

/// A tape of so many calls, a second apart: orders and what is read between them, with decisions and answers.
fn tape(calls: u64) -> Vec<u8> {
    let header = Header::new("bench", 1_767_571_200_000);
    let redactor = Redactor::new(&[]).expect("no rules");
    let mut tape = TapeWriter::new(Vec::new(), &header, redactor).expect("memory");
    for id in 0..calls {
        let now_ms = header.clock_origin_ms + id * 1_000;
        let (tool, arguments) = match id % 4 {
            0 => (
                "bn_new_order",
                r#"{"symbol":"BTCUSDT","side":"BUY","type":"LIMIT","timeInForce":"GTC","quantity":"0.001","price":"50000.00"}"#,
            ),
            1 => ("bn_open_orders", r#"{"symbol":"BTCUSDT"}"#),
            2 => ("bn_order_book", r#"{"symbol":"BTCUSDT","limit":5}"#),
            _ => ("bn_ping", "{}"),
        };
        let mut say = |leg, dir, frame: String| {
            tape.message(now_ms, leg, dir, frame.as_bytes()).expect("memory");
        };
        say(
            Leg::Agent,
            Direction::Out,
            format!(
                r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","arguments":{arguments}}}}}"#
            ),
        );
        say(
            Leg::Decision,
            Direction::Out,
            format!(
                r#"{{"ts_ms":{now_ms},"seq":{id},"decision":"allow","grant":"desk","session":"session-1","id":{id},"tool":"{tool}","rule":"/tools/{tool}"}}"#
            ),
        );
        say(
            Leg::Agent,
            Direction::Back,
            format!(
                r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[{{"type":"text","text":"{{}}"}}],"isError":false}}}}"#
            ),
        );
    }
    tape.finish().expect("memory")
}

fn backtest(c: &mut Criterion) {
    let mut group = c.benchmark_group("backtest");
    for calls in [1_000, 10_000] {
        let tape = tape(calls);
        group.throughput(Throughput::Elements(calls));
        group.bench_function(format!("{calls} calls"), |bencher| {
            bencher.iter_batched(
                || Backtest::new(&SHIPPED.into(), None).expect("the shipped policy"),
                |mut backtest| {
                    backtest.tape("bench", TapeReader::new(tape.as_slice()).expect("a tape")).expect("a sound tape");
                    backtest.finish()
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, backtest);
criterion_main!(benches);
