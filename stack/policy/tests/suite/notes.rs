//! What a guard remembers, noted and taken up by the next process.

use std::collections::BTreeMap;

use mcp_policy::{Decision, Guard, Note, NoteKey, NoteKind, Outcome, Policy, Timestamp};
use serde_json::{Value, json};

use crate::desk::{about, desk, is_refused, order, placed, succeeds, told};
use crate::support::{HOUR, MINUTE, SECOND, ask, policy};

/// A guard and the notes of it that outlive its process.
pub(crate) struct Kept {
    pub(crate) guard: Guard,
    pub(crate) notes: BTreeMap<NoteKey, String>,
    /// The next process takes up nothing.
    pub(crate) forgets: bool,
    pub(crate) document: Value,
    /// What each process begins with.
    pub(crate) make: fn(&Value) -> Guard,
}

fn fresh(document: &Value, make: fn(&Value) -> Guard) -> Guard {
    let mut guard = make(document);
    guard.keep_notes();
    guard.set_digest_key([7; 32]);
    guard
}

impl Kept {
    pub(crate) fn new(document: &Value) -> Self {
        Self::made_by(document, |document| Guard::new(policy(document)))
    }

    /// Every process of which begins with such a guard.
    pub(crate) fn made_by(document: &Value, make: fn(&Value) -> Guard) -> Self {
        let guard = fresh(document, make);
        Self { guard, notes: BTreeMap::new(), forgets: false, document: document.clone(), make }
    }

    fn write(&mut self, notes: Vec<Note>) {
        for Note { about, value } in notes {
            match value {
                Some(value) => self.notes.insert(about, value),
                None => self.notes.remove(&about),
            };
        }
    }

    /// Writes down what is new, after which the notes are all that the guard knows.
    #[track_caller]
    pub(crate) fn note(&mut self) {
        let notes = self.guard.take_notes();
        self.write(notes);
        assert_eq!(self.guard.take_notes(), []);
        if !self.forgets {
            let known = self.guard.notes().into_iter().map(|note| (note.about, note.value.unwrap()));
            assert_eq!(self.notes, known.collect());
        }
    }

    /// The process ends, without a warning, and another begins.
    #[track_caller]
    pub(crate) fn die(&mut self, now: u64) {
        self.guard = fresh(&self.document, self.make);
        if !self.forgets {
            let notes =
                self.notes.iter().map(|(about, value)| Note { about: about.clone(), value: Some(value.clone()) });
            let forgotten = self.guard.restore_notes(notes.collect(), Timestamp::from_millis(now)).unwrap();
            self.write(forgotten);
        }
        self.note();
    }

    fn under(&mut self, document: &Value) {
        self.document = document.clone();
    }
}

#[test]
fn orders_are_open_until_they_are_told_to_be_over() {
    let mut kept = Kept::new(&desk(&json!({
        "bn_new_order": { "open_orders": [{ "max": 2 }], "no_self_cross": true,
                          "exposure": [{ "asset": "BTC", "max": "0.03" }] },
        "bn_cancel_order": { "own_orders_only": true }, "bn_query_order": { "own_orders_only": true } })));
    placed(&mut kept.guard, &order(&json!({})), 0, 17);
    kept.note();
    // This one is on its way when the process ends.
    let permit = order(&json!({ "newClientOrderId": "late", "price": "60001.00" })).allowed(&mut kept.guard, 1);
    kept.note();
    drop(permit);
    kept.die(2);
    let guard = &mut kept.guard;
    order(&json!({})).refused(guard, 3, "/tools/bn_new_order/open_orders/0", "open_orders");
    order(&json!({ "side": "SELL" })).refused(guard, 3, "/tools/bn_new_order/no_self_cross", "self_cross");
    let by_name = |tool: &str| ask(tool).with(json!({ "symbol": "BTCUSDT", "origClientOrderId": "late" }));
    by_name("bn_cancel_order").refused(guard, 4, "/tools/bn_cancel_order/own_orders_only", "not_own");
    about("bn_cancel_order", 18).refused(guard, 4, "/tools/bn_cancel_order/own_orders_only", "not_own");
    // It may be looked up, and what is found is its own.
    let permit = by_name("bn_query_order").allowed(guard, 5);
    let mut found = told(18, "FILLED", "0.01000000");
    (found["clientOrderId"], found["time"]) = (json!("late"), json!(1));
    succeeds(guard, permit, &found);
    let permit = about("bn_cancel_order", 17).allowed(guard, 6);
    succeeds(guard, permit, &told(17, "CANCELED", "0.00500000"));
    kept.note();
    kept.die(7);
    // Bought 0.015; with 0.016 more it would be too much.
    let guard = &mut kept.guard;
    order(&json!({ "quantity": "0.016" })).refused(guard, 8, "/tools/bn_new_order/exposure/0", "exposure");
    drop(order(&json!({ "quantity": "0.015" })).allowed(guard, 8));
    drop(about("bn_cancel_order", 18).allowed(guard, 9));
}

#[test]
fn a_test_order_that_was_used_stays_used() {
    let mut kept = Kept::new(&desk(&json!({
        "bn_test_order": {},
        "bn_new_order": { "requires_prior": [{ "tool": "bn_test_order", "within": 60 }] } })));
    let test = order(&json!({})).named("bn_test_order");
    for _ in 0..2 {
        let permit = test.allowed(&mut kept.guard, 0);
        succeeds(&mut kept.guard, permit, &json!({}));
    }
    kept.note();
    kept.die(1);
    let permit = order(&json!({})).allowed(&mut kept.guard, 2);
    kept.note();
    drop(permit);
    kept.die(3);
    let permit = order(&json!({})).allowed(&mut kept.guard, 4);
    kept.note();
    kept.guard.settle(permit, Outcome::NeverSent);
    kept.note();
    kept.die(5);
    drop(order(&json!({})).allowed(&mut kept.guard, 6));
    kept.note();
    kept.die(7);
    order(&json!({})).refused(&mut kept.guard, 8, "/tools/bn_new_order/requires_prior/0", "prior_missing");
}

#[test]
fn listen_keys_are_noted_as_digests_alone() {
    let own = json!({ "own_listen_keys_only": true });
    let tools = json!({ "bn_create_listen_key": {}, "bn_keepalive_listen_key": own, "bn_close_listen_key": own });
    let mut kept = Kept::new(&desk(&tools));
    let permit = ask("bn_create_listen_key").allowed(&mut kept.guard, 0);
    succeeds(&mut kept.guard, permit, &json!({ "listenKey": "canary-key" }));
    kept.note();
    assert!(!format!("{:?}", kept.notes).contains("canary"), "{:?}", kept.notes);
    kept.die(1);
    let with = |tool: &str| ask(tool).with(json!({ "listenKey": "canary-key" }));
    drop(with("bn_keepalive_listen_key").allowed(&mut kept.guard, 2));
    with("bn_keepalive_listen_key").grant("other").denied(&mut kept.guard, 2);
    let permit = with("bn_close_listen_key").allowed(&mut kept.guard, 3);
    succeeds(&mut kept.guard, permit, &json!({}));
    kept.note();
    kept.die(4);
    with("bn_keepalive_listen_key").denied(&mut kept.guard, 5);
    assert_eq!(kept.notes.len(), 0);
}

#[test]
fn cancels_go_on_counting_against_trades() {
    let tools = |more: &Value| {
        let cancel = if more.is_null() { json!({}) } else { json!({ "cancel_to_fill": more }) };
        desk(&json!({ "bn_new_order": {}, "bn_cancel_order": cancel,
                      "bn_query_order": { "own_orders_only": true } }))
    };
    let mut kept = Kept::new(&tools(&json!([{ "window": "hour", "max": 1, "free": 2 }])));
    for at in 0..2 {
        let permit = about("bn_cancel_order", 1).allowed(&mut kept.guard, at);
        is_refused(&mut kept.guard, permit);
        let permit = about("bn_cancel_order", 1).allowed(&mut kept.guard, at);
        kept.guard.settle(permit, Outcome::Unknown);
        kept.note();
        kept.die(at);
    }
    about("bn_cancel_order", 1).refused(
        &mut kept.guard,
        5,
        "/tools/bn_cancel_order/cancel_to_fill/0",
        "cancel_to_fill",
    );
    drop(about("bn_cancel_order", 1).allowed(&mut kept.guard, HOUR + SECOND));
    kept.note();
    // What has left the window is no longer noted, nor what no rule asks for any more.
    assert!(kept.notes.keys().filter(|about| about.kind == NoteKind::Ratio).count() <= 2, "{:?}", kept.notes);
    kept.under(&tools(&Value::Null));
    kept.die(HOUR + 2 * SECOND);
    assert_eq!(kept.notes.keys().filter(|about| about.kind == NoteKind::Ratio).count(), 0);
}

fn breaking(streak: u64, scope: &str) -> Value {
    json!({ "version": "2", "default": "deny", "manifest": "binance-mcp", "tools": {
        "bn_ping": { "error_streak": [{ "max": streak, "window": "hour", "pause": "hour", "scope": scope }],
                     "concurrency": [{ "max": 1 }] },
        "bn_server_time": { "cooldown": [{ "after": "denial", "window": 60 }] } } })
}

#[test]
fn pauses_and_failures_in_a_row_go_on_and_places_under_way_are_free() {
    for scope in ["grant", "session", "server"] {
        let mut kept = Kept::new(&breaking(3, scope));
        for at in 0..3 {
            let permit = ask("bn_ping").allowed(&mut kept.guard, at);
            kept.note();
            if at == 1 {
                // On its way when the process ends: its place is free, and it is no failure.
                drop(permit);
                kept.die(at);
                let permit = ask("bn_ping").allowed(&mut kept.guard, at);
                kept.guard.settle(permit, Outcome::Failed);
            } else {
                kept.guard.settle(permit, Outcome::Unknown);
            }
            kept.note();
            kept.die(at);
        }
        ask("bn_ping").refused(&mut kept.guard, 10, "/tools/bn_ping/error_streak/0", "error_streak");
        // A clock that was set back lengthens no pause, and shortens none.
        kept.die(0);
        let denial = ask("bn_ping").denied(&mut kept.guard, 0);
        assert_eq!(denial.retry_after_ms, Some(HOUR), "{scope}");
        drop(ask("bn_ping").allowed(&mut kept.guard, HOUR + 3));
    }
    let mut kept = Kept::new(&breaking(3, "grant"));
    ask("bn_server_time").with(json!({ "undeclared": true })).denied(&mut kept.guard, 0);
    kept.note();
    kept.die(1);
    let denial = ask("bn_server_time").denied(&mut kept.guard, 2);
    assert_eq!((denial.reason.code(), denial.retry_after_ms), ("cooling_down", Some(MINUTE - 2)));
    drop(ask("bn_server_time").grant("other").allowed(&mut kept.guard, 2));
    // What is over is forgotten.
    drop(ask("bn_server_time").allowed(&mut kept.guard, MINUTE + 1));
    kept.note();
    assert_eq!(kept.notes, BTreeMap::new());
}

#[test]
fn a_document_that_is_replaced_forgets_what_it_no_longer_speaks_of() {
    let mut kept = Kept::new(&breaking(3, "grant"));
    let permit = ask("bn_ping").allowed(&mut kept.guard, 0);
    kept.guard.settle(permit, Outcome::Failed);
    kept.note();
    assert_eq!(kept.notes.len(), 1);
    kept.guard.replace(policy(&breaking(2, "grant")));
    kept.note();
    let permit = ask("bn_ping").allowed(&mut kept.guard, 1);
    kept.guard.settle(permit, Outcome::Failed);
    ask("bn_ping").denied(&mut kept.guard, 2);
    kept.guard.replace(policy(&breaking(2, "session")));
    kept.note();
    assert_eq!(kept.notes, BTreeMap::new());
    // The same at a start under another document.
    let mut kept = Kept::new(&breaking(1, "grant"));
    let permit = ask("bn_ping").allowed(&mut kept.guard, 0);
    kept.guard.settle(permit, Outcome::Failed);
    kept.note();
    kept.under(&breaking(1, "session"));
    kept.die(1);
    assert_eq!(kept.notes, BTreeMap::new());
    drop(ask("bn_ping").allowed(&mut kept.guard, 2));
}

#[test]
fn notes_that_no_guard_has_written_are_refused() {
    let document = desk(&json!({ "bn_new_order": { "open_orders": [{ "max": 2 }],
                                                   "exposure": [{ "asset": "BTC", "max": "0.03" }] } }));
    let mut kept = Kept::new(&document);
    placed(&mut kept.guard, &order(&json!({})), 0, 17);
    kept.note();
    let written: Vec<Note> =
        kept.notes.iter().map(|(about, value)| Note { about: about.clone(), value: Some(value.clone()) }).collect();
    let restored = |notes: Vec<Note>| Kept::new(&document).guard.restore_notes(notes, Timestamp::default());
    assert_eq!(restored(written.clone()), Ok(vec![]));
    assert_eq!(written.len(), 2);
    for index in 0..written.len() {
        for bad in ["", "{}", "null", "[1]", r#"{"net":1}"#] {
            let mut notes = written.clone();
            notes[index].value = Some(bad.to_owned());
            assert!(restored(notes).is_err(), "{bad}");
        }
        let mut notes = written.clone();
        notes.remove(index);
        assert!(restored(notes).unwrap_err().to_string().contains("does not go with the open orders"));
        let mut notes = written.clone();
        notes[index].about.kind = NoteKind::Breaker;
        assert!(restored(notes).is_err());
    }
    for kind in [NoteKind::Order, NoteKind::Prior, NoteKind::ListenKey, NoteKind::Ratio, NoteKind::Breaker] {
        assert_eq!(NoteKind::named(kind.name()), Some(kind));
        let about = NoteKey { kind, grant: "grant".to_owned(), key: "?".to_owned() };
        let values = [r#"{"at":1,"digest":"00"}"#, r#"{"number":1}"#, r#"{"at":1,"amount":1}"#];
        for value in values {
            let note = Note { about: about.clone(), value: Some(value.to_owned()) };
            assert!(restored(vec![note]).is_err(), "{kind:?} {value}");
        }
    }
    assert_eq!(NoteKind::named("dream"), None);
}

#[test]
fn a_guard_of_which_nobody_keeps_notes_has_none_to_take() {
    let document = desk(&json!({ "bn_new_order": { "open_orders": [{ "max": 2 }] } }));
    let mut guard = Guard::new(Policy::parse(&document.to_string()).unwrap());
    placed(&mut guard, &order(&json!({})), 0, 17);
    assert_eq!(guard.take_notes(), []);
    assert_eq!(guard.notes().len(), 2);
    guard.keep_notes();
    let Decision::Allow(permit) = order(&json!({})).of(&mut guard, 1) else { panic!("there is room") };
    assert_eq!(guard.take_notes().len(), 2, "the order and the exposure");
    guard.settle(permit, Outcome::NeverSent);
    assert!(guard.take_notes().iter().any(|note| note.value.is_none()));
}
