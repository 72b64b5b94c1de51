//! Tables of the page. Each cell carries its column's name, which narrow screens show in the place of a head.

use std::fmt::Write as _;

/// A table that is being written.
pub(super) struct Table<'a> {
    out: &'a mut String,
    names: &'a [&'static str],
    column: usize,
}

impl<'a> Table<'a> {
    /// Begins one; `names` are those of its columns.
    pub(super) fn new(out: &'a mut String, id: &str, names: &'a [&'static str]) -> Self {
        let _ = write!(out, "<table id={id}><thead><tr>");
        for name in names {
            let _ = write!(out, "<th scope=col>{name}");
        }
        out.push_str("</thead><tbody>");
        Self { out, names, column: 0 }
    }

    pub(super) fn row(&mut self) {
        self.out.push_str("<tr>");
        self.column = 0;
    }

    /// The next cell of the row; both are HTML.
    pub(super) fn cell(&mut self, class: &str, html: &str) {
        let name = self.names.get(self.column).copied().unwrap_or_default();
        self.column += 1;
        let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
        let _ = write!(self.out, "<td{class} data-label=\"{name}\">{html}");
    }

    pub(super) fn end(self) {
        self.out.push_str("</tbody></table>");
    }
}
