//! What the account was worth over time, with and without the policy, as a picture.

use std::fmt::Write as _;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;

use super::super::words::amount;
use crate::course::Course;
use crate::html::escaped;

/// The picture in units of its own; it is stretched to the room that there is.
const WIDTH: i64 = 1000;
const HEIGHT: i64 = 300;

/// One line of the picture.
pub(super) struct Line<'a> {
    /// As the style sheet calls it.
    pub(super) class: &'static str,
    /// What it shows.
    pub(super) title: &'static str,
    pub(super) course: &'a Course,
}

/// How far the line is from where it began, at the end.
fn change(course: &Course) -> Decimal {
    let end = course.moments.last().map_or(&course.equity_before, |moment| &moment.equity);
    end.value().saturating_sub(course.equity_before.value())
}

/// The values of a line: where it stands along the axis, and how far from where it began.
fn points(course: &Course, by_time: bool) -> Vec<(u64, Decimal)> {
    let before = course.equity_before.value();
    let moments = course.moments.iter().zip(1..).map(|(moment, number)| {
        let at = if by_time { moment.at_ms } else { number };
        (at, moment.equity.value().saturating_sub(before))
    });
    std::iter::once((0, Decimal::ZERO)).chain(moments).collect()
}

/// A place between the two ends of an axis of so many units, without any floating point.
fn along(value: Decimal, least: Decimal, most: Decimal, units: i64) -> i64 {
    let span = most.saturating_sub(least);
    let part = value.saturating_sub(least).saturating_mul(Decimal::from(units));
    part.checked_div(span).and_then(|at| at.round().to_i64()).unwrap_or(0).clamp(0, units)
}

/// The figure, or a sentence where the account's worth never changed.
pub(super) fn figure(lines: &[Line<'_>]) -> String {
    let courses = || lines.iter().map(|line| line.course);
    if lines.is_empty() {
        return String::new();
    }
    let span_ms = courses().filter_map(|course| course.moments.last()).map(|last| last.at_ms).max().unwrap_or(0);
    let by_time = span_ms > 0;
    let drawn: Vec<(&Line<'_>, Vec<(u64, Decimal)>)> =
        lines.iter().map(|line| (line, points(line.course, by_time))).collect();
    let values = || drawn.iter().flat_map(|(_, points)| points.iter().map(|(_, value)| *value));
    let (least, most) = (values().min().unwrap_or_default(), values().max().unwrap_or_default());
    if least == most {
        return "<p class=\"flat\">The account was worth the same all the time: the harm is of another kind.</p>\n"
            .to_owned();
    }
    let end = drawn.iter().filter_map(|(_, points)| points.last()).map(|(at, _)| *at).max().unwrap_or(1).max(1);
    // What happens last is to be seen as well.
    let x = |at: u64| along(Decimal::from(at), Decimal::ZERO, Decimal::from(end), WIDTH - WIDTH / 25);
    let y = |value: Decimal| HEIGHT - along(value, least, most, HEIGHT);

    let said: Vec<String> =
        drawn.iter().map(|(line, _)| format!("{} {} USDT", line.title, signed(change(line.course)))).collect();
    let mut html = format!(
        "<figure class=\"chart\">\n<figcaption>What the account was worth, against the beginning, at the prices of the \
         beginning</figcaption>\n<div class=\"plot\"><div class=\"scale\"><span>{}</span><span>{}</span></div>\n\
         <svg role=\"img\" preserveAspectRatio=\"none\" viewBox=\"-4 -8 {} {}\"><title>{}</title>\n",
        signed(most),
        signed(least),
        WIDTH + 8,
        HEIGHT + 16,
        escaped(&said.join("; "))
    );
    let zero = y(Decimal::ZERO);
    let _ = writeln!(html, "<path class=\"zero\" d=\"M0 {zero}H{WIDTH}\"/>");
    for (line, points) in &drawn {
        // It stays where it is until something happens, and to the end of the picture.
        let mut path = String::new();
        for (number, (at, value)) in points.iter().enumerate() {
            let (x, y) = (x(*at), y(*value));
            let _ = if number == 0 { write!(path, "M{x} {y}") } else { write!(path, "H{x}V{y}") };
        }
        let _ = writeln!(html, "<path class=\"{}\" d=\"{path}H{WIDTH}\"/>", line.class);
    }
    let (from, to) = if by_time {
        ("start".to_owned(), format!("{} later", lasting(span_ms)))
    } else {
        ("first call".to_owned(), "last call (no time passed)".to_owned())
    };
    let _ = writeln!(html, "</svg>\n<div class=\"axis\"><span>{from}</span><span>{to}</span></div></div>");
    html += "<ul class=\"legend\">\n";
    for ((line, _), said) in drawn.iter().zip(&said) {
        let _ = writeln!(html, "<li class=\"{}\">{}</li>", line.class, escaped(said));
    }
    html += "</ul>\n</figure>\n";
    html
}

/// With its sign, also when it is a gain.
fn signed(number: Decimal) -> String {
    let text = amount(number);
    if number > Decimal::ZERO && text != "0.00" { format!("+{text}") } else { text.replace('-', "\u{2212}") }
}

/// A span of the exchange's time as people say it.
pub(super) fn lasting(ms: u64) -> String {
    let (days, hours) = (ms / 86_400_000, ms / 3_600_000 % 24);
    let (minutes, seconds) = (ms / 60_000 % 60, ms / 1000 % 60);
    let parts = [(days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s"), (ms % 1000, "ms")];
    let parts: Vec<String> = parts
        .into_iter()
        .skip_while(|(number, _)| *number == 0)
        .take(2)
        .filter(|(number, _)| *number > 0)
        .map(|(number, unit)| format!("{number} {unit}"))
        .collect();
    if parts.is_empty() { "0 s".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::course::Moment;

    fn course(values: &[(u64, &str)]) -> Course {
        let moments = values.iter().map(|(at_ms, equity)| Moment {
            at_ms: *at_ms,
            asked: Vec::new(),
            note: None,
            effects: Vec::new(),
            equity: equity.parse().unwrap(),
        });
        Course { equity_before: "1000".parse().unwrap(), moments: moments.collect() }
    }

    #[test]
    fn lines_step_when_something_happens() {
        let (bad, good) = (course(&[(0, "1000"), (500, "900"), (1000, "500")]), course(&[(0, "1000"), (250, "1000")]));
        let lines = [
            Line { class: "without", title: "Without", course: &bad },
            Line { class: "with", title: "With", course: &good },
        ];
        let html = figure(&lines);
        // Down a fifth of the way at half time, and all the way at the end.
        assert!(html.contains("<path class=\"without\" d=\"M0 0H0V0H480V60H960V300H1000\"/>"), "{html}");
        assert!(html.contains("<path class=\"with\" d=\"M0 0H0V0H240V0H1000\"/>"), "{html}");
        assert!(html.contains("<li class=\"without\">Without \u{2212}500.00 USDT</li>"), "{html}");
        assert!(html.contains("<span>0.00</span><span>\u{2212}500.00</span>") && html.contains("1 s later"), "{html}");
    }

    #[test]
    fn without_time_calls_are_counted_and_without_change_nothing_is_drawn() {
        let gain = course(&[(0, "1000"), (0, "1001.5")]);
        let html = figure(&[Line { class: "with", title: "With", course: &gain }]);
        assert!(html.contains("d=\"M0 300H480V300H960V0H1000\""), "{html}");
        assert!(html.contains("With +1.50 USDT") && html.contains("no time passed"), "{html}");
        let flat = course(&[(0, "1000"), (9, "1000")]);
        assert!(!figure(&[Line { class: "with", title: "With", course: &flat }]).contains("<svg"));
        assert!(figure(&[]).is_empty());
    }

    #[test]
    fn spans_as_people_say_them() {
        for (ms, said) in [
            (0, "0 s"),
            (40, "40 ms"),
            (61_000, "1 min 1 s"),
            (3_600_000, "1 h"),
            (90_000_000, "1 d 1 h"),
            (1_500, "1 s 500 ms"),
        ] {
            assert_eq!(lasting(ms), said);
        }
    }
}
