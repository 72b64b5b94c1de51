//! Recorded markets that happen again.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mock_binance::engine::Price;
use mock_binance::{ManualClock, MockBinance, Recording, RecordingKind, StartError, process};
use serde_json::{Value, json};

use crate::support::{Bench, START_MS, bench_with};

const DAY_MS: u64 = 86_400_000;

/// A file of this test run's own.
struct Scratch(PathBuf);

impl Scratch {
    fn with(name: &str, text: impl AsRef<[u8]>) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("replay-{}-{name}.csv", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings").join(name)
}

/// A mock whose clock stands at this moment.
async fn replaying(now_ms: u64, path: impl Into<PathBuf>) -> Bench {
    let clock = ManualClock::new(now_ms);
    let recording = Recording::new(path);
    let mut bench = bench_with(|builder| builder.clock(&clock).replay("BTCUSDT", recording)).await;
    bench.clock = clock;
    bench
}

/// Numbers that look arbitrary and are the same every time.
struct Arbitrary(u64);

impl Arbitrary {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn cents(cents: u64) -> String {
    format!("{}.{:02}000000", cents / 100, cents % 100)
}

/// In the smallest steps of BTC, 0.00001.
fn lots(steps: u64) -> String {
    format!("{}.{:05}000", steps / 100_000, steps % 100_000)
}

/// All klines of a day.
async fn klines(bench: &Bench, interval: &str, from_ms: u64) -> Vec<Value> {
    let mut rows = Vec::new();
    for start in [from_ms, from_ms + DAY_MS / 2] {
        let end = start + DAY_MS / 2 - 1;
        let query = format!("symbol=BTCUSDT&interval={interval}&startTime={start}&endTime={end}&limit=1000");
        let page = bench.get(&format!("/api/v3/klines?{query}")).await.ok();
        rows.extend(page.as_array().unwrap().iter().cloned());
    }
    rows
}

#[tokio::test]
async fn a_replayed_day_equals_its_klines() {
    let from_ms = 1_735_776_000_000; // 2025-01-02
    let mut arbitrary = Arbitrary(1);
    let (mut file, mut expected) = (String::new(), Vec::new());
    let mut last = 9_412_300;
    for minute in 0..1_440 {
        let from = from_ms + minute * 60_000;
        let (open, close) = (last, last + arbitrary.below(2_001) - 1_000);
        let (high, low) = (open.max(close) + arbitrary.below(800), open.min(close) - arbitrary.below(800));
        // Minutes without a trade are there too, and some with so few that nothing moves.
        let (volume, row) = match minute % 60 {
            17 => (0, [open; 4]),
            23 => (1, [open; 4]),
            _ => (4 + arbitrary.below(900_000), [open, high, low, close]),
        };
        let [open, high, low, close] = row.map(cents);
        let (from_us, to_us) = (from * 1_000, from * 1_000 + 59_999_999);
        let volume_text = lots(volume);
        writeln!(file, "{from_us},{open},{high},{low},{close},{volume_text},{to_us},0,0,0,0,0").unwrap();
        if volume > 0 {
            last = row[3];
            expected.push(json!([from, open, high, low, close, volume_text, from + 59_999]));
        }
    }
    let file = Scratch::with("day", file);
    let bench = replaying(from_ms - 1, &file.0).await;
    assert_eq!(bench.mock.replays()[0].kind, RecordingKind::Klines);
    bench.clock.advance(Duration::from_millis(DAY_MS + 1));
    let told = klines(&bench, "1m", from_ms).await;
    let traded: Vec<Value> = told
        .iter()
        .filter(|row| row[5] != "0.00000000")
        .map(|row| Value::from(row.as_array().unwrap()[..7].to_vec()))
        .collect();
    for (told, expected) in traded.iter().zip(&expected) {
        assert_eq!(told, expected);
    }
    assert_eq!(traded.len(), expected.len());
    let status = &bench.mock.replays()[0];
    assert_eq!((status.rows, status.begun, status.refused, &status.stopped), (1_440, 1_440, 0, &None));
    // What is told of the whole day is made of the same trades.
    let day = &klines(&bench, "1d", from_ms).await[0];
    let column = |at: usize| expected.iter().map(move |row| row[at].as_str().unwrap().parse::<Price>().unwrap());
    assert_eq!((&day[1], &day[4]), (&expected[0][1], &expected.last().unwrap()[4]));
    assert_eq!(day[2], column(2).max().unwrap().to_string());
    assert_eq!(day[3], column(3).min().unwrap().to_string());
    let volume = column(5).reduce(|sum, next| sum.checked_add(next).unwrap()).unwrap();
    assert_eq!(day[5], volume.to_string());
}

#[tokio::test]
async fn recorded_trades_are_the_trades() {
    let from_ms = 1_735_776_000_000;
    let mut arbitrary = Arbitrary(7);
    let mut file = String::from("id,price,qty,quote_qty,time,is_buyer_maker,is_best_match\r\n");
    let (mut expected, mut at_us, mut price) = (Vec::new(), from_ms * 1_000 + 250, 9_412_300);
    for id in 0..400 {
        at_us += arbitrary.below(1_700_000);
        price = price + arbitrary.below(301) - 150;
        // Down to one step, which is worth less than any order may be.
        let steps = 1 + arbitrary.below(if id % 3 == 0 { 5 } else { 40_000 });
        let buyer_is_maker = arbitrary.below(2) == 0;
        let (price_text, quantity) = (cents(price), lots(steps));
        let flag = if buyer_is_maker { "True" } else { "False" };
        write!(file, "{id},{price_text},{quantity},1.0,{at_us},{flag},True\r\n").unwrap();
        expected.push(json!({ "price": price_text, "qty": quantity, "time": at_us, "isBuyerMaker": buyer_is_maker }));
    }
    let file = Scratch::with("trades", file);
    let bench = replaying(from_ms, &file.0).await;
    bench.clock.advance(Duration::from_mins(20));
    let request = bench.http.get(format!("{}/api/v3/trades?symbol=BTCUSDT&limit=1000", bench.mock.rest_url()));
    let answer = request.header("X-MBX-TIME-UNIT", "MICROSECOND").send().await.unwrap().text().await.unwrap();
    let told: Vec<Value> = serde_json::from_str(&answer).unwrap();
    assert_eq!(told.len(), expected.len());
    for (told, expected) in told.iter().zip(&expected) {
        for key in ["price", "qty", "time", "isBuyerMaker"] {
            assert_eq!(told[key], expected[key], "{told}");
        }
    }
    assert_eq!(bench.mock.replays()[0].refused, 0);
    let depth = bench.get("/api/v3/depth?symbol=BTCUSDT&limit=5000").await.ok();
    for side in ["bids", "asks"] {
        assert_eq!(depth[side].as_array().unwrap().len(), 20, "{side}: nothing is left behind");
    }
}

#[tokio::test]
async fn the_samples_replay_and_times_move_by_whole_minutes() {
    for (name, kind, trades) in [
        ("trades.csv", RecordingKind::Trades, 24),
        ("agg-trades.csv", RecordingKind::AggTrades, 16),
        ("klines.csv", RecordingKind::Klines, 37),
    ] {
        // A minute has begun, so that the first row comes in the next one.
        let bench = replaying(START_MS + 59_999, sample(name)).await;
        let status = bench.mock.replays().remove(0);
        assert_eq!((status.kind, status.shift_ms % 60_000), (kind, 0), "{name}");
        assert_eq!(bench.get("/api/v3/trades?symbol=BTCUSDT").await.ok(), json!([]), "{name}");
        let opening = bench.get("/api/v3/ticker/price?symbol=BTCUSDT").await.ok()["price"].clone();
        bench.clock.advance(Duration::from_mins(1));
        let first = bench.get("/api/v3/historicalTrades?symbol=BTCUSDT&fromId=0&limit=1").await.ok()[0].clone();
        assert_eq!(first["price"], opening, "{name}: the book stood where the recording begins");
        bench.clock.advance(Duration::from_mins(30));
        let all = bench.get("/api/v3/trades?symbol=BTCUSDT&limit=1000").await.ok();
        assert_eq!(all.as_array().unwrap().len(), trades, "{name}");
    }
}

#[tokio::test]
async fn the_same_file_gives_the_same_journal_however_the_clock_moves() {
    let journal = |bench: &Bench| bench.mock.with_exchange(|exchange| exchange.journal().fingerprint());
    let (jump, creep) =
        (replaying(START_MS, sample("trades.csv")).await, replaying(START_MS, sample("trades.csv")).await);
    jump.clock.advance(Duration::from_mins(2));
    for _ in 0..480 {
        creep.clock.advance(Duration::from_millis(250));
    }
    assert_eq!(journal(&jump), journal(&creep));
    let other = replaying(START_MS, sample("agg-trades.csv")).await;
    other.clock.advance(Duration::from_mins(2));
    assert_ne!(journal(&jump), journal(&other));
}

#[tokio::test]
async fn orders_of_clients_meet_the_recorded_market() {
    let rows = "1,94000.00,0.5,1,1735776000000,False,True\n2,93000.00,0.5,1,1735776010000,True,True\n";
    let file = Scratch::with("clients", rows);
    let bench = replaying(1_735_775_999_000, &file.0).await;
    let limit = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=93500";
    let bid = bench.order(limit).await.ok();
    let stop = "symbol=BTCUSDT&side=SELL&type=STOP_LOSS&quantity=0.01&stopPrice=93200";
    let stop = bench.order(stop).await.ok();
    bench.clock.advance(Duration::from_secs(5));
    let status = async |order: &Value| {
        let query = format!("symbol=BTCUSDT&orderId={}", order["orderId"]);
        bench.signed("GET", "/api/v3/order", &query).await.ok()["status"].clone()
    };
    assert_eq!((status(&bid).await, status(&stop).await), (json!("NEW"), json!("NEW")));
    bench.clock.advance(Duration::from_secs(10));
    assert_eq!((status(&bid).await, status(&stop).await), (json!("FILLED"), json!("FILLED")));
    assert_eq!(bench.get("/api/v3/klines?symbol=BTCUSDT&interval=1m").await.ok()[0][1], "94000.00000000");
}

#[tokio::test]
async fn a_snapshot_goes_back_to_the_row_it_was_taken_at() {
    let bench = replaying(START_MS, sample("trades.csv")).await;
    bench.clock.advance(Duration::from_secs(70));
    bench.mock.take_snapshot("half").unwrap();
    let before = bench.mock.replays();
    assert!(before[0].begun > 1 && before[0].begun < before[0].rows, "{before:?}");
    bench.clock.advance(Duration::from_mins(2));
    let whole = bench.mock.with_exchange(|exchange| exchange.journal().fingerprint());
    bench.mock.restore_snapshot("half").unwrap();
    assert_eq!(bench.mock.replays(), before);
    bench.clock.advance(Duration::from_mins(2));
    assert_eq!(bench.mock.with_exchange(|exchange| exchange.journal().fingerprint()), whole);
}

#[tokio::test]
async fn the_control_interface_tells_how_far_a_replay_has_come() {
    let recording = Recording::new(sample("klines.csv"));
    let control = "127.0.0.1:0".parse().unwrap();
    let bench = bench_with(|builder| builder.control(control).replay("BTCUSDT", recording)).await;
    bench.clock.advance(Duration::from_secs(150));
    let told = bench.http.get(format!("{}/replays", bench.mock.control_url().unwrap())).send().await.unwrap();
    let told: Value = serde_json::from_str(&told.text().await.unwrap()).unwrap();
    let expected = json!([{
        "symbol": "BTCUSDT", "file": sample("klines.csv"), "kind": "klines", "rows": 10, "begun": 3,
        "shift_ms": -35_775_960_000_i64, "refused": 0, "first_refusal": null, "stopped": null,
    }]);
    assert_eq!(told["replays"], expected);
}

#[tokio::test]
async fn refused_trades_and_files_that_change_are_told() {
    // Seven times the average price is more than the filter lets anybody bid.
    let rows = "1,1000.00,0.5,1,1735776000000,False,True\n2,7000.00,0.5,1,1735776001000,True,True\n";
    let file = Scratch::with("refused", rows);
    let bench = replaying(1_735_776_000_000, &file.0).await;
    bench.clock.advance(Duration::from_secs(5));
    let status = bench.mock.replays().remove(0);
    let why = "a trade at 7000.00000000 at 1735776001000 ms: ";
    assert!(status.refused == 1 && status.first_refusal.as_ref().unwrap().starts_with(why), "{status:?}");

    // Longer than what is read at once, and cut off after the start.
    let row = |n: u64| format!("{n},94000.00,0.5,1,{},False,True\n", 1_735_776_000_000 + n);
    let file = Scratch::with("cut", (0..5_000).map(row).collect::<String>());
    let bench = replaying(1_735_776_000_000, &file.0).await;
    std::fs::write(&file.0, row(0)).unwrap();
    bench.clock.advance(Duration::from_secs(10));
    let status = bench.mock.replays().remove(0);
    assert!(status.begun < 5_000 && status.stopped.is_some(), "{status:?}");
}

#[tokio::test]
async fn recordings_of_several_symbols_keep_their_distance() {
    let row = |price: &str, at_ms: u64| format!("1,{price},1,1,{at_ms},False,True\n");
    let (early, late) = (Scratch::with("early", row("94000.00", 1_000)), Scratch::with("late", row("3400.00", 62_500)));
    let bench = bench_with(|builder| {
        builder.replay("ETHUSDT", Recording::new(&late.0)).replay("BTCUSDT", Recording::new(&early.0))
    })
    .await;
    bench.clock.advance(Duration::from_mins(5));
    let time = async |symbol: &str| {
        let trades = bench.get(&format!("/api/v3/trades?symbol={symbol}")).await.ok();
        assert_eq!(trades.as_array().unwrap().len(), 1);
        trades[0]["time"].as_u64().unwrap() - START_MS
    };
    assert_eq!((time("BTCUSDT").await, time("ETHUSDT").await), (1_000, 62_500));
}

/// Why a mock with this file does not start.
async fn refusal(name: &str, text: impl AsRef<[u8]>, kind: Option<RecordingKind>) -> String {
    let file = Scratch::with(name, text);
    let recording = kind.map_or_else(|| Recording::new(&file.0), |kind| Recording::of(kind, &file.0));
    let error = MockBinance::builder().replay("BTCUSDT", recording).start().await.unwrap_err().to_string();
    error.replace(&file.0.display().to_string(), "FILE")
}

#[tokio::test]
async fn bad_rows_are_told_with_file_line_column_and_remedy() {
    const GOOD: &str = "1,94000.00,0.5,47000,1735776000000,True,True";
    let step = "give the symbols the rules of that time with --symbols";
    for (row, expected) in [
        ("", "line 2: the line is empty: take it out".to_owned()),
        ("1,2,3", "line 2: there are 3 columns instead of 7: trades have 7".to_owned()),
        ("1,x,0.5,1,1735776000000,True,True", "line 2, column 2 (price): `x` is no decimal: ".to_owned()),
        ("1,0,0.5,1,1735776000000,True,True", "line 2, column 2 (price): `0` is not above zero: correct it".to_owned()),
        (
            "1,94000.001,0.5,1,1735776000000,True,True",
            format!("line 2, column 2 (price): `94000.001` is no multiple of the tick 0.01000000 of BTCUSDT: {step}"),
        ),
        (
            "1,94000.00,0.000001,1,1735776000000,True,True",
            format!("line 2, column 3 (qty): `0.000001` is no multiple of the step 0.00001000 of BTCUSDT: {step}"),
        ),
        (
            "1,94000.00,0,1,1735776000000,True,True",
            "line 2, column 3 (qty): `0` is not above zero: take the row out".to_owned(),
        ),
        (
            "1,94000.00,9000000,1,1735776000000,True,True",
            "line 2, column 3 (qty): `9000000` is more than 1000 times the largest order of BTCUSDT: correct it"
                .to_owned(),
        ),
        (
            "1,94000.00,99999999999999,1,1735776000000,True,True",
            "line 2, column 3 (qty): `99999999999999` is no decimal: ".to_owned(),
        ),
        (
            "1,94000.00,0.5,1,2025-01-02,True,True",
            "line 2, column 5 (time): `2025-01-02` is no time: write milliseconds or microseconds since the epoch"
                .to_owned(),
        ),
        (
            "1,94000.00,0.5,1,1735775999999,True,True",
            "line 2, column 5 (time): `1735775999999` is before the time of the row above: put the rows in order"
                .to_owned(),
        ),
        (
            "1,94000.00,0.5,1,999999999999999999,True,True",
            "line 2, column 5 (time): `999999999999999999` is after the year 9999: correct it".to_owned(),
        ),
        (
            "1,94000.00,0.5,1,1735776000000,maybe,True",
            "line 2, column 6 (isBuyerMaker): `maybe` is neither true nor false: write one of them".to_owned(),
        ),
    ] {
        let told = refusal("row", format!("{GOOD}\n{row}\n{GOOD}\n"), None).await;
        assert!(told.starts_with(&format!("`FILE`, {expected}")), "{row}: {told}");
    }
}

#[tokio::test]
async fn bad_klines_are_told_too() {
    for (row, expected) in [
        (
            "1735776000000,10,9,8,9.5,1,1735776059999",
            "column 3 (high): `9` is below the open or the close: correct the row",
        ),
        (
            "1735776000000,10,12,11,10,1,1735776059999",
            "column 4 (low): `11` is above the open or the close: correct the row",
        ),
        ("1735776000000,10,12,8,10,1,1735776000000", "column 7 (closeTime): `1735776000000` is not after the openTime"),
        (
            "1735776000000,10,12,8,10,1,1735775999999",
            "column 7 (closeTime): `1735775999999` is before the time of the row",
        ),
        ("1735776000000,10,12,8,10,-1,1735776059999", "column 6 (volume): `-1` is below zero: correct it"),
        (
            "1735776000000,10,12,8,10,0.00003,1735776059999",
            "column 6 (volume): `0.00003` is too little for the 4 different prices of the row: correct it",
        ),
    ] {
        let told = refusal("kline", format!("{row},0,0,0,0,0\n"), None).await;
        assert!(told.starts_with(&format!("`FILE`, line 1, {expected}")), "{row}: {told}");
    }
    let overlap = "1735776000000,10,10,10,10,1,1735776059999,0,0,0,0,0\n1735776000001,10,10,10,10,1,1735776060000,0,0,0,0,0\n\
                   1735776000000,10,10,10,10,1,1735776060000,0,0,0,0,0\n";
    let told = refusal("overlap", overlap, None).await;
    assert!(told.starts_with("`FILE`, line 3, column 1 (openTime): "), "{told}");
}

#[tokio::test]
async fn files_that_are_no_recording_are_told() {
    let long = "1,".repeat(3_000);
    for (text, kind, expected) in [
        (b"" as &[u8], None, "`FILE` has no rows: give a file with at least one"),
        (b"id,price,qty,quote_qty,time,is_buyer_maker,is_best_match\n", None, "`FILE` has no rows"),
        (b"1735776000000,1,1,1,1,0,1735776059999,0,0,0,0,0\n", None, "`FILE` has no rows"),
        (b"PK\x03\x04rest", None, "`FILE` is a zip archive: unpack it, and give the .csv file inside"),
        (b"\xff\xfe,1\n", None, "`FILE`, line 1: the line is no text: give the unpacked .csv file"),
        (
            b"1,2\n",
            None,
            "`FILE`, line 1: the number of columns is 2: give a file with 7 (trades), 8 (aggTrades) or 12 (klines)",
        ),
        (
            b"1,1,1,1,1735776000000,True,True\n",
            Some(RecordingKind::Klines),
            "`FILE`, line 1: there are 7 columns, and klines have 12: give a file of klines",
        ),
        (long.as_bytes(), None, "`FILE`, line 1: the line has more than 4096 bytes"),
    ] {
        let told = refusal("file", text, kind).await;
        assert!(told.starts_with(expected), "{told}");
    }
}

#[tokio::test]
async fn what_moves_a_market_besides_is_refused() {
    let start = |symbol: &str| MockBinance::builder().replay(symbol, Recording::new(sample("trades.csv")));
    let told = async |builder: mock_binance::Builder| builder.start().await.unwrap_err();
    let unknown = told(start("DOGEUSDT")).await.to_string();
    assert!(unknown.starts_with("there is no symbol `DOGEUSDT` to give a recording to"), "{unknown}");
    let both = start("BTCUSDT").market("BTCUSDT", process("calm").unwrap());
    assert!(matches!(told(both).await, StartError::ReplayedTwice { .. }));
    assert!(matches!(told(start("BTCUSDT").price("BTCUSDT", "1")).await, StartError::ReplayedTwice { .. }));
    assert!(matches!(told(start("BTCUSDT").no_liquidity()).await, StartError::MarketWithoutPrice { .. }));
    let twice = start("BTCUSDT").replay("BTCUSDT", Recording::new(sample("klines.csv")));
    assert!(matches!(told(twice).await, StartError::ReplayedTwice { .. }));
    let missing = MockBinance::builder().replay("BTCUSDT", Recording::new("no/such/file"));
    assert!(told(missing).await.to_string().starts_with("cannot read the recording `no/such/file`: "));
}
