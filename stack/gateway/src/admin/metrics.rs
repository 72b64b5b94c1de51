//! Figures in Prometheus' text format (version 0.0.4).

use std::fmt::{Display, Write as _};

use super::watch::{Latency, Seen};

/// Other figures than those of the audit.
pub(super) struct Now {
    /// By server.
    pub(super) pending: Vec<(String, usize)>,
    pub(super) halted: bool,
    /// What became of notices, if there is a webhook.
    pub(super) notices: Option<[(&'static str, u64); 4]>,
}

/// All figures. No argument of any call is among them.
pub(super) fn text(seen: &Seen, now: &Now) -> String {
    let mut out = String::new();
    head(
        &mut out,
        "mcp_gateway_calls_total",
        "counter",
        "Decisions on calls and frames, by server, decision and tool.",
    );
    for ([server, decision, tool], count) in &seen.calls {
        let labels = [("server", server.as_str()), ("decision", decision), ("tool", tool)];
        series(&mut out, "mcp_gateway_calls_total", &labels, count);
    }
    head(
        &mut out,
        "mcp_gateway_refusals_total",
        "counter",
        "Calls and frames that went no further, by server and reason.",
    );
    for ([server, reason], count) in &seen.refusals {
        series(&mut out, "mcp_gateway_refusals_total", &[("server", server), ("reason", reason)], count);
    }
    head(&mut out, "mcp_gateway_outcomes_total", "counter", "What became of calls that were let through.");
    for ([server, outcome], count) in &seen.outcomes {
        series(&mut out, "mcp_gateway_outcomes_total", &[("server", server), ("outcome", outcome)], count);
    }
    head(&mut out, "mcp_gateway_upstream_milliseconds", "histogram", "How long servers took to answer.");
    for (server, latency) in &seen.latency {
        let server = ("server", server.as_str());
        let mut bucket = |bound: &str, count: u64| {
            series(&mut out, "mcp_gateway_upstream_milliseconds_bucket", &[server, ("le", bound)], count);
        };
        for (bound, count) in Latency::BOUNDS.iter().zip(&latency.counts) {
            bucket(&bound.to_string(), *count);
        }
        bucket("+Inf", latency.count);
        series(&mut out, "mcp_gateway_upstream_milliseconds_sum", &[server], latency.sum);
        series(&mut out, "mcp_gateway_upstream_milliseconds_count", &[server], latency.count);
    }
    for (event, name, help) in [
        ("server_lost", "mcp_gateway_upstream_lost_total", "Servers that died while their client was there."),
        ("server_restarted", "mcp_gateway_upstream_restarts_total", "Servers that took the place of one that died."),
        (
            "server_given_up",
            "mcp_gateway_upstream_given_up_total",
            "Sessions that ended because their server was not started again.",
        ),
    ] {
        head(&mut out, name, "counter", help);
        for ([server, _], count) in seen.deaths.iter().filter(|([_, told], _)| told == event) {
            series(&mut out, name, &[("server", server)], count);
        }
    }
    let name = "mcp_gateway_approvals_pending";
    head(&mut out, name, "gauge", "Requests that wait for a person, by server.");
    for (server, pending) in &now.pending {
        series(&mut out, name, &[("server", server)], pending);
    }
    if let Some(notices) = now.notices {
        let name = "mcp_gateway_approval_notices_total";
        head(&mut out, name, "counter", "What became of notices to the approval webhook; `retried` counts attempts.");
        for (outcome, count) in notices {
            series(&mut out, name, &[("outcome", outcome)], count);
        }
    }
    for (name, kind, help, value) in [
        ("mcp_gateway_audit_records_total", "counter", "Records that the audit has taken.", seen.records),
        ("mcp_gateway_audit_lost_total", "counter", "Records that the audit has not taken.", seen.lost),
        ("mcp_gateway_halted", "gauge", "1 while the kill switch is on.", u64::from(now.halted)),
    ] {
        head(&mut out, name, kind, help);
        series(&mut out, name, &[], value);
    }
    out
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn series(out: &mut String, name: &str, labels: &[(&str, &str)], value: impl Display) {
    out.push_str(name);
    for (at, (label, text)) in labels.iter().enumerate() {
        let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let _ = write!(out, "{}{label}=\"{escaped}\"", if at == 0 { '{' } else { ',' });
    }
    let _ = writeln!(out, "{} {value}", if labels.is_empty() { "" } else { "}" });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_cannot_break_out() {
        let mut seen = Seen::default();
        let labels = ["s", "deny", "a\"} 1\nmcp_gateway_halted 1"].map(str::to_owned);
        seen.calls.insert(labels, 3);
        seen.deaths.insert(["s", "server_restarted"].map(str::to_owned), 4);
        let text = text(&seen, &Now { pending: vec![("s".to_owned(), 2)], halted: false, notices: None });
        assert!(
            text.contains(
                r#"mcp_gateway_calls_total{server="s",decision="deny",tool="a\"} 1\nmcp_gateway_halted 1"} 3"#
            ),
            "{text}"
        );
        assert!(
            text.contains("\nmcp_gateway_halted 0\n")
                && text.contains("\nmcp_gateway_approvals_pending{server=\"s\"} 2\n")
        );
        assert!(!text.contains("\nmcp_gateway_halted 1"));
        assert!(text.contains("\nmcp_gateway_upstream_restarts_total{server=\"s\"} 4\n"), "{text}");
        assert!(!text.contains("\nmcp_gateway_upstream_lost_total{"), "{text}");
    }
}
