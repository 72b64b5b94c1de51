//! The page in HTML. Nothing in it comes from another host, and no text of an agent's is markup.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::table::Table;
use crate::approval::{Approval, ApprovalState};
use crate::usage::LimitUsage;

pub(super) const STYLE: &str = include_str!("page.css");
pub(super) const SCRIPT: &str = include_str!("page.js");

/// How many requests that are over are shown.
const HISTORY: usize = 50;

/// What the page shows.
pub(super) struct View<'a> {
    pub(super) servers: Vec<&'a str>,
    pub(super) now_ms: u64,
    pub(super) halted: bool,
    /// All requests, the newest first; nothing where there is no state folder or it cannot be read.
    pub(super) approvals: Result<Vec<(Approval, ApprovalState)>, String>,
    /// Limits of which something is used, the fullest first, and how many there are.
    pub(super) limits: (Vec<LimitUsage>, usize),
    /// Decisions, the oldest first, each a line of the audit.
    pub(super) latest: Vec<String>,
    /// What this browser's forms come with.
    pub(super) form: &'a str,
}

/// The page before anybody has logged in.
pub(super) fn login(wrong: bool) -> String {
    let told = if wrong { "<p class=deny role=alert>This is not the token.</p>" } else { "" };
    document(
        "Log in",
        "",
        &format!(
            "<h2>Log in</h2>{told}<form method=post action=/login><label>Admin token \
             <input name=token type=password autocomplete=current-password required autofocus></label> \
             <button>Log in</button></form>"
        ),
    )
}

/// The whole page.
pub(super) fn whole(view: &View<'_>) -> String {
    let out = format!(
        "<form method=post action=/logout><input type=hidden name=form value=\"{}\"><button>Log out</button></form>",
        html(view.form)
    );
    let live = "<span id=live class=quiet aria-live=polite></span>";
    let script = "<script src=/page.js defer></script>";
    document(&format!("mcp-gateway: {}", view.servers.join(", ")), &format!("{live} {out}{script}"), &part(view))
}

/// What changes from one moment to the next.
pub(super) fn part(view: &View<'_>) -> String {
    let mut out = String::new();
    switch(&mut out, view);
    match &view.approvals {
        Err(why) => {
            let _ = write!(out, "<h2>Requests for approval</h2><p class=deny>{}</p>", html(why));
        }
        Ok(all) => {
            let (open, over): (Vec<_>, Vec<_>) = all.iter().partition(|(_, state)| *state == ApprovalState::Pending);
            let _ = write!(out, "<h2 id=waiting>Waiting for you ({})</h2>", open.len());
            if open.is_empty() {
                out.push_str("<p class=quiet>No call waits for a person.</p>");
            }
            // Who waits longest comes first.
            for (approval, _) in open.iter().rev() {
                request(&mut out, approval, view);
            }
            history(&mut out, &over);
        }
    }
    limits(&mut out, &view.limits);
    decisions(&mut out, &view.latest);
    out
}

fn switch(out: &mut String, view: &View<'_>) {
    let (word, to, class) =
        if view.halted { ("Let calls through again", "off", "") } else { ("Stop everything", "on", "halt") };
    if view.halted {
        out.push_str(
            "<p class=halted role=alert>The kill switch is on: nothing passes but the policy's safety tools.</p>",
        );
    }
    let form = html(view.form);
    let _ = write!(
        out,
        "<form id=switch method=post action=/kill><input type=hidden name=form value=\"{form}\">\
         <input type=hidden name=to value={to}><button class=\"{class}\">{word}</button></form>"
    );
}

fn request(out: &mut String, approval: &Approval, view: &View<'_>) {
    let asked = &approval.asked;
    let left = approval.expires_ms.saturating_sub(view.now_ms) / 1000;
    let _ = write!(
        out,
        "<article id=\"request-{}\"><h3>{}</h3><p>{}</p><dl class=order>",
        html(&approval.id),
        html(&asked.tool),
        html(if asked.message.is_empty() { "The policy wants a person to decide." } else { &asked.message })
    );
    for (name, value) in arguments(&asked.arguments) {
        let _ = write!(out, "<dt>{}</dt><dd>{}</dd>", html(&name), html(&value));
    }
    out.push_str("</dl><dl class=quiet>");
    let times = approval.times.to_string();
    for (name, value) in [
        ("asked by", asked.grant.as_str()),
        ("server", &asked.server),
        ("rule", &asked.rule),
        ("times asked", &times),
        ("seconds left", &left.to_string()),
        ("request", &approval.id),
    ] {
        let class = if name == "seconds left" { " class=left" } else { "" };
        let _ = write!(out, "<dt>{name}</dt><dd{class}>{}</dd>", html(value));
    }
    out.push_str("</dl>");
    let (form, id) = (html(view.form), html(&approval.id));
    let _ = write!(
        out,
        "<form method=post action=/decide><input type=hidden name=form value=\"{form}\">\
         <input type=hidden name=id value=\"{id}\"><label>Your name <input name=by required maxlength=100></label> \
         <label>Note <input name=note maxlength=500></label> \
         <button name=to value=approve class=let>Let it through, once</button> <button name=to value=deny class=halt>Deny</button>\
         </form></article>"
    );
}

fn history(out: &mut String, over: &[&(Approval, ApprovalState)]) {
    if over.is_empty() {
        return;
    }
    out.push_str("<h2>Decided</h2>");
    let names = ["Request", "Server", "Tool", "Arguments", "What became of it", "By", "Note"];
    let mut table = Table::new(out, "decided", &names);
    for (approval, state) in over.iter().take(HISTORY) {
        let asked = &approval.asked;
        table.row();
        for text in [&approval.id, &asked.server, &asked.tool] {
            table.cell("", &html(text));
        }
        table.cell("code", &html(&asked.arguments));
        table.cell(state.name(), state.name());
        table.cell("", &html(&approval.by));
        table.cell("", &html(&approval.note));
    }
    table.end();
}

/// What is left of the limits that are in use.
fn limits(out: &mut String, (used, count): &(Vec<LimitUsage>, usize)) {
    out.push_str("<h2>Limits in use</h2>");
    if used.is_empty() {
        out.push_str("<p class=quiet>Nothing is used of any limit.</p>");
        return;
    }
    let mut table =
        Table::new(out, "limits", &["Server", "Whose", "Limit", "Window", "Used", "At most", "Left", "Share"]);
    for usage in used {
        let whose = match (&usage.grant, &usage.session) {
            (Some(grant), Some(session)) => format!("{grant}, session {session}"),
            (Some(grant), None) => grant.clone(),
            (None, _) => format!("all together ({})", usage.scope),
        };
        let what =
            [usage.of.as_ref().map(|of| format!("of {of}")), usage.each.as_ref().map(|each| format!("each {each}"))];
        let what = what.into_iter().flatten().collect::<Vec<_>>().join(", ");
        let what = if what.is_empty() { "calls".to_owned() } else { what };
        let of_grant = usage.policy_of.as_ref().map(|grant| format!(" (policy of {grant})")).unwrap_or_default();
        table.row();
        table.cell("", &html(&usage.server));
        table.cell("", &html(&whose));
        table.cell("code", &html(&format!("{}: {what}{of_grant}", usage.limit)));
        table.cell("", &html(&length(usage.window_ms)));
        table.cell("number", &html(&usage.used));
        table.cell("number", &html(&usage.max));
        table.cell("number", &html(&usage.remaining));
        let (percent, label) = (usage.permille.div_ceil(10), html(&format!("{} of {whose}", usage.limit)));
        let class = if usage.permille >= 1000 {
            "deny"
        } else if usage.permille >= 800 {
            "pending"
        } else {
            ""
        };
        table.cell(
            class,
            &format!(
                "<meter min=0 max=1000 value={} aria-label=\"used of {label}\"></meter> {percent} %",
                usage.permille
            ),
        );
    }
    table.end();
    if *count > used.len() {
        let _ = write!(out, "<p class=quiet>{} more are in use, and less full.</p>", count - used.len());
    }
}

/// A length of time in the largest unit that it is a whole number of.
fn length(ms: u64) -> String {
    let units = [("day", 86_400_000), ("hour", 3_600_000), ("minute", 60_000), ("second", 1000)];
    let whole = units.into_iter().find(|(_, unit)| ms >= *unit && ms.is_multiple_of(*unit));
    let (name, count) = whole.map_or(("millisecond", ms), |(name, unit)| (name, ms / unit));
    if count == 1 { format!("1 {name}") } else { format!("{count} {name}s") }
}

fn decisions(out: &mut String, latest: &[String]) {
    out.push_str("<h2>Latest decisions</h2>");
    if latest.is_empty() {
        out.push_str("<p class=quiet>Nothing was asked yet.</p>");
        return;
    }
    let mut table = Table::new(out, "decisions", &["Decision", "Server", "Tool", "Grant", "Session", "Rule", "Why"]);
    for line in latest.iter().rev() {
        let record: Map<String, Value> = serde_json::from_str(line).unwrap_or_default();
        let text = |name: &str| html(record.get(name).and_then(Value::as_str).unwrap_or_default());
        let decision = text("decision");
        table.row();
        table.cell(&decision, &decision);
        for name in ["server", "tool", "grant", "session"] {
            table.cell("", &text(name));
        }
        table.cell("code", &text("rule"));
        table.cell("", &if record.contains_key("message") { text("message") } else { text("reason") });
    }
    table.end();
}

/// The arguments of a call, name by name, in the order of their canonical form.
fn arguments(canonical: &str) -> Vec<(String, String)> {
    match serde_json::from_str::<Map<String, Value>>(canonical) {
        Ok(arguments) => arguments
            .into_iter()
            .map(|(name, value)| (name, value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
            .collect(),
        Err(_) => vec![("arguments".to_owned(), canonical.to_owned())],
    }
}

fn document(title: &str, header: &str, main: &str) -> String {
    let title = html(title);
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>{title}</title><link rel=stylesheet href=/page.css>\
         <header><h1>{title}</h1>{header}</header><main>{main}</main></html>"
    )
}

/// Text as HTML shows it. What is not printable ASCII is written as its code: letters that look like others, and marks that
/// turn the direction of writing, must not make an order look like another.
fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            ' '..='~' => out.push(c),
            _ => out.extend(c.escape_unicode()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_agent_wrote_is_text_and_nothing_else() {
        assert_eq!(html("<b a='1'>&\"</b>"), "&lt;b a=&#39;1&#39;&gt;&amp;&quot;&lt;/b&gt;");
        assert_eq!(
            html("BТC\u{202e}\n"),
            "B\\u{422}C\\u{202e}\\u{a}",
            "a Cyrillic letter and a turn of direction show"
        );
        let shown = arguments(r#"{"a":"1","b":{"c":[2]},"d":3}"#);
        let lengths = [86_400_000, 172_800_000, 90_000, 60_000, 1_500, 0].map(length);
        assert_eq!(lengths, ["1 day", "2 days", "90 seconds", "1 minute", "1500 milliseconds", "0 milliseconds"]);
        let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(shown, [own("a", "1"), own("b", r#"{"c":[2]}"#), own("d", "3")]);
    }
}
