//! Tables whose coloured words do not upset the widths of their columns.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use comfy_table::{
    CellAlignment, ColumnConstraint, ContentArrangement, LineStyle, Table, TableStyle, Width, presets::NOTHING,
};

use crate::verdict::Verdict;

pub(super) const GOOD: Style = AnsiColor::Green.on_default().bold();
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(super) const DOUBTFUL: Style = AnsiColor::Yellow.on_default().bold();

/// Marks round coloured words while the table is laid out. They take the place of the blanks on either side and
/// are one column wide, as every character of the private use area is to `unicode-width`.
const MARKS: [(char, Style); 3] = [('\u{E000}', GOOD), ('\u{E001}', BAD), ('\u{E002}', DOUBTFUL)];
const END: char = '\u{E00F}';

/// How wide a column is.
#[derive(Clone, Copy)]
pub(super) enum Fit {
    /// As wide as its widest word, never wrapped.
    Word,
    /// A part of the room, in percent.
    Share(u16),
    /// As `Word`, with numbers at the right.
    Number,
}

/// The colour of a verdict.
pub(super) const fn style_of(verdict: &Verdict) -> Style {
    match verdict {
        Verdict::Held | Verdict::Passed => GOOD,
        Verdict::Breached | Verdict::Blocked | Verdict::Broken(_) => BAD,
        Verdict::Untestable(_) => DOUBTFUL,
    }
}

/// A verdict's word as a cell.
pub(super) fn verdict_cell(verdict: &Verdict) -> String {
    let style = style_of(verdict);
    let mark = MARKS.iter().find(|(_, marked)| *marked == style).map_or(' ', |(mark, _)| *mark);
    format!("{mark}{}{END}", verdict.word())
}

/// Lays out a table of at most `width` columns. Cells may have several lines.
pub(super) fn render(width: u16, columns: &[(&str, Fit)], rows: Vec<Vec<String>>) -> String {
    let lines = LineStyle::none().fill('─').junction('─');
    let style: TableStyle = NOTHING.header_separator(lines).row_separator(lines.fill('╌').junction('╌'));
    let mut table = Table::new();
    table.load_style(style).set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    // The header of a marked column starts where its words start.
    let header = columns
        .iter()
        .map(|(title, fit)| if matches!(fit, Fit::Word) { format!(" {title}") } else { (*title).to_owned() });
    table.set_header(header);
    for (at, (_, fit)) in columns.iter().enumerate() {
        let Some(column) = table.column_mut(at) else { continue };
        match fit {
            Fit::Word => {
                column.set_padding((0, 0));
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
            Fit::Number => {
                column.set_cell_alignment(CellAlignment::Right);
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
            Fit::Share(percent) => {
                column.set_constraint(ColumnConstraint::UpperBoundary(Width::Percentage(*percent)));
            }
        }
    }
    for row in rows {
        table.add_row(row);
    }
    let mut text = String::new();
    for line in table.lines() {
        let mut open = Style::new();
        for letter in line.trim_end().chars() {
            if let Some((_, style)) = MARKS.iter().find(|(mark, _)| *mark == letter) {
                open = *style;
                let _ = write!(text, " {open}");
            } else if letter == END {
                let _ = write!(text, "{open:#} ");
            } else {
                text.push(letter);
            }
        }
        // A coloured word at the end of a line leaves the blank of its mark behind.
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}
