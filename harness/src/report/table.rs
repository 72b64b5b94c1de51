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
/// A blank at which no line is broken; it is an ordinary blank in the end.
pub(super) const TIED: char = '\u{A0}';

const END: char = '\u{E00F}';

/// How wide a column is.
#[derive(Clone, Copy)]
pub(super) enum Fit {
    /// As wide as its widest word, never wrapped; its cells may be coloured.
    Word,
    /// As wide as its widest cell, at the right.
    Number,
    /// A share of what the others leave, by weight; no more than its content needs.
    Share(usize),
    /// As wide as its widest line, at most half of the table; the lines of its cells are not broken if they fit.
    Whole,
}

/// The blank before a cell. Marked words bring their own; one more blank stands between columns.
const PADDING: usize = 1;

/// Widths of columns with padding: what must not wrap first, then shares of the rest, then what is left to those
/// who can use it.
fn widths(width: usize, columns: &[(&str, Fit)], rows: &[Vec<String>]) -> Vec<usize> {
    let longest = |cell: &str| cell.lines().map(|line| line.chars().count()).max().unwrap_or_default();
    let natural = |at: usize| {
        let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| longest(cell));
        let title = columns.get(at).map_or(0, |(title, _)| longest(title));
        let padding = if columns.get(at).is_some_and(|(_, fit)| matches!(fit, Fit::Word)) { 0 } else { PADDING };
        cells.map(|cell| cell + padding).chain([title + PADDING]).max().unwrap_or_default()
    };
    let natural: Vec<usize> = (0..columns.len()).map(natural).collect();
    let weight = |fit: Fit| if let Fit::Share(weight) = fit { weight } else { 0 };
    let weights: usize = columns.iter().map(|(_, fit)| weight(*fit)).sum();
    let fixed = |fit: Fit, natural: usize| match fit {
        Fit::Share(_) => 0,
        Fit::Whole => natural.min(width / 2),
        Fit::Word | Fit::Number => natural,
    };
    let taken: usize = columns.iter().zip(&natural).map(|((_, fit), natural)| fixed(*fit, *natural)).sum();
    let width = width.saturating_sub(columns.len().saturating_sub(1));
    let room = width.saturating_sub(taken);
    let mut widths: Vec<usize> = columns
        .iter()
        .zip(&natural)
        .map(|((_, fit), natural)| match fit {
            Fit::Share(weight) => (room * weight / weights.max(1)).min(*natural).max(PADDING + 8),
            _ => fixed(*fit, *natural),
        })
        .collect();
    let mut left = width.saturating_sub(widths.iter().sum());
    for ((width, natural), (_, fit)) in widths.iter_mut().zip(&natural).zip(columns) {
        if matches!(fit, Fit::Share(_)) {
            let more = left.min(natural.saturating_sub(*width));
            *width += more;
            left -= more;
        }
    }
    widths
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

/// Lays out a table of at most `width` columns. Cells may have several lines; `ruled` sets rows apart by lines.
pub(super) fn render(width: u16, columns: &[(&str, Fit)], rows: Vec<Vec<String>>, ruled: bool) -> String {
    let lines = LineStyle::none().fill('─').junction('─');
    let mut style: TableStyle = NOTHING.header_separator(lines);
    if ruled {
        style = style.row_separator(lines.fill('╌').junction('╌'));
    }
    let mut table = Table::new();
    table.load_style(style).set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    let coloured = |fit: Fit| matches!(fit, Fit::Word);
    // The header of a marked column starts where its words start.
    let header = |(title, fit): &(&str, Fit)| if coloured(*fit) { format!(" {title}") } else { (*title).to_owned() };
    table.set_header(columns.iter().map(header));
    for (at, ((_, fit), width)) in columns.iter().zip(widths(usize::from(width), columns, &rows)).enumerate() {
        let Some(column) = table.column_mut(at) else { continue };
        let width = u16::try_from(width).unwrap_or(u16::MAX);
        column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width)));
        match fit {
            Fit::Word => {
                column.set_padding((0, 0));
            }
            Fit::Number => {
                column.set_padding((1, 0));
                column.set_cell_alignment(CellAlignment::Right);
            }
            Fit::Share(_) | Fit::Whole => {
                column.set_padding((1, 0));
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
                text.push(if letter == TIED { ' ' } else { letter });
            }
        }
        // A coloured word at the end of a line leaves the blank of its mark behind.
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}
