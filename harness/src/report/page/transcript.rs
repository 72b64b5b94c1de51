//! A run as a table: what the agent did, what was decided, what the exchange wrote down.

use std::fmt::Write as _;

use super::chart::lasting;
use crate::course::{Asked, Course, Moment};
use crate::html::escaped;
use crate::report::words::{amount, count};
use crate::scenario::Outcome;
use crate::verdict::Role;

/// More rows than this are cut out of the middle.
const ROWS_MAX: usize = 60;

/// One row: one thing done, once or many times in a row.
struct Row<'a> {
    at_ms: u64,
    times: u64,
    asked: Option<&'a Asked>,
    note: Option<&'a str>,
    effects: &'a [String],
    equity: String,
}

/// The rows of a run. What is done again and answered alike, with the like effect, is one row.
fn rows(course: &Course) -> Vec<Row<'_>> {
    let mut rows: Vec<Row<'_>> = Vec::new();
    for moment in &course.moments {
        let Moment { at_ms, asked, note, effects, equity } = moment;
        let equity = amount(equity.value());
        if let (Some(note), true) = (note, asked.is_empty()) {
            rows.push(Row { at_ms: *at_ms, times: 1, asked: None, note: Some(note), effects, equity });
            continue;
        }
        let begun = rows.len();
        for asked in asked {
            let within = rows.get(begun..).unwrap_or_default().iter().position(|row| row.asked == Some(asked));
            match within.and_then(|at| rows.get_mut(begun + at)) {
                Some(row) => row.times += 1,
                None => rows.push(Row {
                    at_ms: *at_ms,
                    times: 1,
                    asked: Some(asked),
                    note: None,
                    effects: &[],
                    equity: String::new(),
                }),
            }
        }
        // What the exchange did is known for the whole step.
        if let Some(last) = rows.last_mut() {
            (last.effects, last.equity) = (effects, equity);
        }
        join(&mut rows, begun);
    }
    rows
}

/// Makes one of the last two rows when the second is the first one again.
fn join(rows: &mut Vec<Row<'_>>, begun: usize) {
    if begun + 1 != rows.len() {
        return;
    }
    let [.., before, last] = rows.as_mut_slice() else { return };
    if before.asked == last.asked && before.note.is_none() && before.effects == last.effects {
        before.times += last.times;
        before.equity = std::mem::take(&mut last.equity);
        rows.pop();
    }
}

/// The table, folded away.
pub(super) fn details(title: &str, role: Role, course: &Course) -> String {
    let rows = rows(course);
    let calls: usize = course.moments.iter().map(|moment| moment.asked.len()).sum();
    let calls = u64::try_from(calls).unwrap_or(u64::MAX);
    let calls = if calls == 1 { "1 call".to_owned() } else { format!("{} calls", count(calls)) };
    let mut html = format!(
        "<details>\n<summary>{title}: {calls}, one by one</summary>\n<table class=\"calls\">\n<thead><tr>\
         <th scope=\"col\">When</th><th scope=\"col\">What the agent did</th><th scope=\"col\">Answer</th>\
         <th scope=\"col\">What the exchange did</th><th scope=\"col\" class=\"number\">Account, USDT</th></tr></thead>\n<tbody>\n"
    );
    let left_out = rows.len().saturating_sub(ROWS_MAX);
    let head = if left_out > 0 { ROWS_MAX * 2 / 3 } else { rows.len() };
    for (place, row) in rows.iter().enumerate() {
        if place == head && left_out > 0 {
            let _ = writeln!(html, "<tr class=\"left-out\"><td colspan=\"5\">… {left_out} rows left out …</td></tr>");
        }
        if place >= head && place < head + left_out {
            continue;
        }
        put_row(&mut html, role, row);
    }
    html += "</tbody>\n</table>\n</details>\n";
    html
}

fn put_row(html: &mut String, role: Role, row: &Row<'_>) {
    let times = if row.times > 1 { format!(" <b class=\"times\">{}×</b>", count(row.times)) } else { String::new() };
    let (did, answer) = match (row.asked, row.note) {
        (Some(asked), _) => (format!("<code>{}</code>{times}", escaped(&asked.did)), answer(role, asked)),
        (None, note) => (format!("<i>{}</i>", escaped(note.unwrap_or_default())), String::new()),
    };
    let effects = match row.effects {
        [] => "<span class=\"nothing\">nothing</span>".to_owned(),
        effects => effects.iter().map(|effect| escaped(effect)).collect::<Vec<_>>().join("<br>"),
    };
    // Where several rows are one step, its effect stands with the last of them.
    let effects = if row.equity.is_empty() { "" } else { &effects };
    let _ = writeln!(
        html,
        "<tr><td data-is=\"When\">{}</td><td data-is=\"Agent\">{did}</td><td data-is=\"Answer\">{answer}</td>\
         <td data-is=\"Exchange\">{effects}</td><td data-is=\"Account\" class=\"number\">{}</td></tr>",
        lasting(row.at_ms),
        row.equity
    );
}

fn answer(role: Role, asked: &Asked) -> String {
    let (class, word) = match asked.outcome {
        Outcome::Allowed if role == Role::Control => ("through", "passed"),
        Outcome::Allowed => ("through", "allowed"),
        Outcome::Denied => ("stopped", "denied"),
        Outcome::Refused => ("stopped", "refused"),
        Outcome::Error => ("failed", "failed"),
        Outcome::Silent => ("failed", "no answer"),
    };
    let mut html = format!("<span class=\"answer {class}\">{word}</span>");
    if let Some(why) = &asked.why {
        let _ = write!(html, "<br>{}", escaped(why));
    }
    if let Some(rule) = &asked.rule {
        let _ = write!(html, "<br><code class=\"rule\">{}</code>", escaped(rule));
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(did: &[&str], effects: &[&str]) -> Moment {
        let asked = |did: &&str| Asked { did: (*did).to_owned(), outcome: Outcome::Allowed, rule: None, why: None };
        Moment {
            at_ms: 0,
            asked: did.iter().map(asked).collect(),
            note: None,
            effects: effects.iter().map(|effect| (*effect).to_owned()).collect(),
            equity: "1".parse().unwrap(),
        }
    }

    #[test]
    fn what_is_done_again_is_one_row() {
        let course = Course {
            equity_before: "1".parse().unwrap(),
            moments: vec![
                moment(&["a"], &["x"]),
                moment(&["a"], &["x"]),
                moment(&["a"], &["y"]),
                moment(&["b", "b", "a"], &["y"]),
                moment(&["a"], &["y"]),
            ],
        };
        let told: Vec<_> =
            rows(&course).iter().map(|row| (row.asked.unwrap().did.clone(), row.times, row.effects.to_vec())).collect();
        let row = |did: &str, times, effects: &[&str]| {
            (did.to_owned(), times, effects.iter().map(|effect| (*effect).to_owned()).collect::<Vec<_>>())
        };
        let expected = [row("a", 2, &["x"]), row("a", 1, &["y"]), row("b", 2, &[]), row("a", 2, &["y"])];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_long_run_is_cut_in_the_middle() {
        let names: Vec<String> = (0..200).map(|number| format!("call {number}")).collect();
        let moments = names.iter().map(|name| moment(&[name], &[])).collect();
        let html = details("Run", Role::Control, &Course { equity_before: "1".parse().unwrap(), moments });
        assert_eq!(html.matches("<tr><td").count(), ROWS_MAX);
        assert!(html.contains("… 140 rows left out …") && html.contains("call 0<") && html.contains("call 199<"));
        assert!(html.contains("Run: 200 calls, one by one"));
    }
}
