//! A backtest as one HTML page: no scripts, nothing from anywhere else, light and dark, printable.

use std::fmt::Write as _;

use super::headroom::Headroom;
use super::report::{Change, Changes, Example, Worth, counted};
use super::timeline::{Span, Timeline};
use crate::html::escaped;

const STYLE: &str = include_str!("page.css");
/// The height of a timeline's columns, in the units of its picture.
const HEIGHT: u64 = 60;
/// The width of a column, its gap included.
const COLUMN: usize = 6;
/// For how many columns a picture has room at least.
const COLUMNS_MIN: usize = 60;

impl Changes {
    /// The page. `candidate` and `against` name the two policies.
    pub fn page(&self, candidate: &str, against: Option<&str>) -> String {
        let against = against.map_or_else(|| "the decisions on the tapes".to_owned(), escaped);
        let candidate = escaped(candidate);
        let mut page = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>Backtest of {candidate}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
             <h1>Backtest of <code>{candidate}</code></h1>\n<p class=\"lead\">Held against {against}: {} judged, {} let \
             through.</p>\n",
            counted(self.calls),
            self.allowed
        );
        page += "<section class=\"tiles\" aria-label=\"Summary\">\n";
        page += &tile("Newly stopped", "stopped", &self.stopped);
        page += &tile("Newly passing", "passing", &self.let_through);
        page += &tile("Honest calls that would break", "broken", &self.honest_stopped);
        page += "</section>\n";
        if let Some(unpriced) = self.unpriced.words() {
            let _ = writeln!(page, "<p>Not judged: {}.</p>", escaped(&unpriced));
        }
        self.put_changes(&mut page);
        put_limits(&mut page, &self.headroom);
        self.put_timelines(&mut page);
        page += "</main>\n</body>\n</html>\n";
        page
    }

    fn put_changes(&self, page: &mut String) {
        *page += "<h2>Calls that change their verdict</h2>\n";
        if self.changes.is_empty() {
            *page += "<p>None.</p>\n";
            return;
        }
        *page += "<div class=\"wide\"><table>\n<thead><tr><th scope=\"col\" class=\"number\">Calls</th>\
                  <th scope=\"col\">Tool</th><th scope=\"col\">Was</th><th scope=\"col\">Now</th>\
                  <th scope=\"col\">The first of them</th></tr></thead>\n<tbody>\n";
        for Change { tool, before, after, calls, example } in &self.changes {
            let Example { tape, seq, arguments, message } = example;
            let [tool, before, after, tape, arguments, message] =
                [tool, before, after, tape, arguments, message].map(|text| escaped(text));
            let _ = writeln!(
                page,
                "<tr><td class=\"number\">{calls}</td><td class=\"tool\"><code>{tool}</code></td><td>{before}</td><td>{after}\
                 <br><small>{message}</small></td><td><code>{arguments}</code><br><small>{tape}:{}</small></td></tr>",
                seq + 1
            );
        }
        *page += "</tbody>\n</table></div>\n";
    }

    fn put_timelines(&self, page: &mut String) {
        *page += "<h2>Over time</h2>\n<p class=\"key\"><span class=\"pass\">passes</span> <span class=\"refused\">refused</span> \
                  <span class=\"stopped\">newly stopped</span> <span class=\"passing\">newly passing</span></p>\n";
        for timeline in &self.timelines {
            put_timeline(page, timeline);
        }
    }
}

fn tile(title: &str, class: &str, worth: &Worth) -> String {
    let class = if worth.calls == 0 { "none" } else { class };
    format!(
        "<div class=\"tile {class}\"><h2>{title}</h2><p class=\"figure\">{}</p><p>{}</p></div>\n",
        worth.calls,
        worth.orders_in_words()
    )
}

fn put_limits(page: &mut String, headroom: &[Headroom]) {
    *page += "<h2>How close each limit came</h2>\n";
    if headroom.is_empty() {
        *page += "<p>No call was charged to a limit.</p>\n";
        return;
    }
    *page += "<div class=\"wide\"><table>\n<thead><tr><th scope=\"col\">Limit</th><th scope=\"col\">Most at a time</th>\
              <th scope=\"col\" class=\"number\">of</th><th scope=\"col\" class=\"number\">Calls charged</th>\
              <th scope=\"col\" class=\"number\">refused</th></tr></thead>\n<tbody>\n";
    for one in headroom {
        let of = one.of.as_deref().map(|of| format!(" of <code>{}</code>", escaped(of))).unwrap_or_default();
        let shared = one.shared_with.iter().fold(String::new(), |mut shared, other| {
            let _ = write!(shared, "<br><small>shared with</small> <code>{}</code>", escaped(other));
            shared
        });
        let _ = writeln!(
            page,
            "<tr><td><code>{}</code>{of}{shared}</td><td><meter min=\"0\" max=\"100\" low=\"70\" high=\"90\" optimum=\"0\" \
             value=\"{}\">{} %</meter> {} <small>{} %, {}</small></td><td class=\"number\">{}</td>\
             <td class=\"number\">{}</td><td class=\"number\">{}</td></tr>",
            escaped(&one.limit),
            one.peak_percent.min(100),
            one.peak_percent,
            escaped(&one.peak),
            one.peak_percent,
            escaped(&one.at),
            escaped(&one.max),
            one.charged,
            one.refused
        );
    }
    *page += "</tbody>\n</table></div>\n";
}

/// A picture of columns, one for each span; its words are for those who do not see it.
fn put_timeline(page: &mut String, timeline: &Timeline) {
    let tallest = timeline.spans.iter().map(|span| span.calls()).max().unwrap_or_default().max(1);
    // A tape of few spans is no wall of one colour.
    let width = timeline.spans.len().max(COLUMNS_MIN) * COLUMN;
    let tape = escaped(&timeline.tape);
    let (calls, changed) = timeline
        .spans
        .iter()
        .fold((0, 0), |(calls, changed), span| (calls + span.calls(), changed + span.stopped + span.let_through));
    let _ = write!(
        page,
        "<figure><figcaption><code>{tape}</code>, {} a column, at most {tallest} calls in one</figcaption>\n\
         <svg role=\"img\" preserveAspectRatio=\"none\" viewBox=\"0 0 {width} {HEIGHT}\" width=\"{width}\" height=\"{HEIGHT}\">\
         <title>{tape}: {calls} calls, of which {changed} change their verdict</title>",
        lasting(timeline.span_ms)
    );
    for (place, span) in timeline.spans.iter().enumerate() {
        let mut bottom = HEIGHT;
        let Span { pass, refused, stopped, let_through } = *span;
        for (class, count) in [("pass", pass), ("refused", refused), ("stopped", stopped), ("passing", let_through)] {
            // What is there is seen, however little it is.
            let height = if count == 0 { 0 } else { (count * HEIGHT / tallest).max(2).min(bottom) };
            bottom -= height;
            if height > 0 {
                let (left, wide) = (place * COLUMN, COLUMN - 1);
                let _ = write!(
                    page,
                    "<rect class=\"{class}\" x=\"{left}\" y=\"{bottom}\" width=\"{wide}\" height=\"{height}\"/>"
                );
            }
        }
    }
    *page += "</svg></figure>\n";
}

/// A span of time as people say it.
fn lasting(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..120_000 => format!("{} s", ms / 1_000),
        120_000..7_200_000 => format!("{} min", ms / 60_000),
        _ => format!("{} h", ms / 3_600_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_tape_says_is_text() {
        let hostile = "<script>alert(1)</script>\"'&\u{1b}[31m";
        let example =
            Example { tape: hostile.to_owned(), seq: 1, arguments: hostile.to_owned(), message: hostile.to_owned() };
        let text = || hostile.to_owned();
        let changes = Changes {
            changes: vec![Change { tool: text(), before: text(), after: text(), calls: 1, example }],
            headroom: vec![Headroom {
                limit: text(),
                shared_with: vec![text()],
                of: Some(text()),
                max: text(),
                peak: text(),
                peak_percent: 1,
                at: text(),
                charged: 1,
                refused: 0,
            }],
            timelines: vec![Timeline::new(hostile)],
            ..Changes::default()
        };
        let page = changes.page(hostile, Some(hostile));
        assert!(!page.contains("<script") && !page.contains('\u{1b}') && !page.contains("\"'&"), "{page}");
        assert!(page.matches("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;").count() >= 13, "{page}");
    }

    #[test]
    fn every_call_is_in_the_picture() {
        let mut timeline = Timeline::new("t");
        for at_ms in 0..1_000 {
            timeline.add(at_ms * 10, true, at_ms != 500);
        }
        let changes = Changes { timelines: vec![timeline], ..Changes::default() };
        let page = changes.page("p", None);
        assert_eq!(page.matches("<rect class=\"stopped\"").count(), 1, "one in a thousand is seen");
        assert!(page.contains("t: 1000 calls, of which 1 change their verdict"), "{page}");
    }
}
