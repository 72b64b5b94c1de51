//! A recording under way: which trade comes next, and when.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use exchange_engine::{Price, Rejection, SymbolId, SymbolSpec, Timestamp};

use super::error::ReplayError;
use super::rows::{self, Grid, Print};
use super::source::Source;
use super::{Recording, RecordingKind, ReplayProgress, ReplayStatus};
use crate::mover::Deal;

/// Progress is told after so many rows.
const ROWS_PER_PROGRESS: u64 = 500_000;
const MINUTE_US: i64 = 60_000_000;

/// A recording that was checked from end to end and stands before its first row.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    reader: Reader,
    rows: u64,
    first: Print,
    last_us: u64,
}

/// The rows of a file, one after the other.
#[derive(Debug, Clone)]
struct Reader {
    source: Source,
    kind: RecordingKind,
    grid: Arc<Grid>,
    /// The first line, when it was no header.
    pending: Option<String>,
    after_us: u64,
}

impl Reader {
    fn open(recording: &Recording, spec: &SymbolSpec) -> Result<Self, ReplayError> {
        let mut source = Source::open(&recording.path)?;
        let Some(first) = source.next_line()?.map(str::to_owned) else {
            return Err(ReplayError::Empty { path: recording.path.clone() });
        };
        // A byte order mark is what some editors put before the first field.
        let first = first.trim_start_matches('\u{feff}').to_owned();
        let kind = rows::kind_of(&first, recording.kind).map_err(|fault| source.fault(fault))?;
        let pending = Some(first).filter(|line| !rows::is_header(line));
        Ok(Self { source, kind, grid: Arc::new(Grid::of(spec)), pending, after_us: 0 })
    }

    /// Appends the trades of the next row; whether there was one.
    fn next(&mut self, prints: &mut VecDeque<Print>) -> Result<bool, ReplayError> {
        let before = prints.len();
        let read = if let Some(first) = self.pending.take() {
            self.grid.read(self.kind, &first, self.after_us, prints)
        } else {
            match self.source.next_line()? {
                None => return Ok(false),
                Some(line) => self.grid.read(self.kind, line, self.after_us, prints),
            }
        };
        read.map_err(|fault| self.source.fault(fault))?;
        // The close of a kline lies before the open of the next one.
        let ends = prints.range(before..).map(|print| print.at_us).max();
        self.after_us = ends.unwrap_or(self.after_us);
        Ok(true)
    }
}

/// Reads and checks every row of a recording, and keeps none.
pub(crate) fn load(
    recording: &Recording,
    spec: &SymbolSpec,
    progress: Option<fn(&ReplayProgress<'_>)>,
) -> Result<Loaded, ReplayError> {
    check(recording, spec, ROWS_PER_PROGRESS, |told| {
        if let Some(tell) = progress {
            tell(told);
        }
    })
}

fn check(
    recording: &Recording,
    spec: &SymbolSpec,
    tell_every: u64,
    mut tell: impl FnMut(&ReplayProgress<'_>),
) -> Result<Loaded, ReplayError> {
    let reader = Reader::open(recording, spec)?;
    let mut scan = reader.clone();
    let of_bytes = scan.source.size();
    let (mut rows, mut first, mut last_us) = (0_u64, None, 0);
    let mut prints = VecDeque::new();
    while scan.next(&mut prints)? {
        rows += 1;
        first = first.or_else(|| prints.front().copied());
        last_us = prints.back().map_or(last_us, |print| print.at_us);
        prints.clear();
        if rows.is_multiple_of(tell_every) {
            tell(&ReplayProgress { path: &recording.path, rows, bytes: scan.source.offset(), of_bytes });
        }
    }
    let first = first.ok_or_else(|| ReplayError::Empty { path: recording.path.clone() })?;
    Ok(Loaded { reader, rows, first, last_us })
}

impl Loaded {
    pub(crate) fn path(&self) -> &Path {
        self.reader.source.path()
    }

    /// Where the market begins.
    pub(crate) const fn first_price(&self) -> Price {
        self.first.price
    }
}

/// What is added to the times of all recordings of a mock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shift(i64);

impl Shift {
    /// The whole minutes by which the earliest row comes at this moment or less than a minute later. Nothing when there
    /// is none, or one of them would leave the time that can be counted.
    pub(crate) fn of(now: Timestamp, all: &[&Loaded]) -> Option<Self> {
        let first = i64::try_from(all.iter().map(|loaded| loaded.first.at_us).min()?).ok()?;
        let last = i64::try_from(all.iter().map(|loaded| loaded.last_us).max()?).ok()?;
        let now = i64::try_from(now.as_micros()).ok()?;
        let behind = now.checked_sub(first)?;
        let minutes = behind.div_euclid(MINUTE_US) + i64::from(behind.rem_euclid(MINUTE_US) > 0);
        let shift = minutes.checked_mul(MINUTE_US)?;
        last.checked_add(shift)?;
        Some(Self(shift))
    }

    fn of_time(self, at_us: u64) -> Timestamp {
        Timestamp::from_micros(at_us.saturating_add_signed(self.0))
    }
}

/// A recorded market that moves on the mock's clock. A copy of it goes on as the original does.
#[derive(Debug, Clone)]
pub(crate) struct Playing {
    pub(crate) symbol: SymbolId,
    reader: Reader,
    /// What the current row still stands for.
    prints: VecDeque<Print>,
    shift: Shift,
    rows: u64,
    begun: u64,
    refused: u64,
    first_refusal: Option<String>,
    stopped: Option<String>,
}

impl Playing {
    pub(crate) fn begin(loaded: Loaded, symbol: SymbolId, shift: Shift) -> Self {
        let mut playing = Self {
            symbol,
            reader: loaded.reader,
            prints: VecDeque::new(),
            shift,
            rows: loaded.rows,
            begun: 0,
            refused: 0,
            first_refusal: None,
            stopped: None,
        };
        playing.read_on();
        playing
    }

    /// When the next trade happens; nothing when all have.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.prints.front().map(|print| self.shift.of_time(print.at_us))
    }

    /// The next trade, which is thereby taken.
    pub(crate) fn take(&mut self) -> Option<Deal> {
        let print = self.prints.pop_front()?;
        self.read_on();
        Some(Deal { price: print.price, quantity: Some(print.quantity), maker: Some(print.maker) })
    }

    /// Keeps what the exchange refused.
    pub(crate) fn refuse(&mut self, at: Timestamp, deal: Deal, why: Rejection) {
        self.refused = self.refused.saturating_add(1);
        let (at, price) = (at.as_millis(), deal.price);
        self.first_refusal.get_or_insert_with(|| format!("a trade at {price} at {at} ms: {why}"));
    }

    /// Reads the next rows until there is a trade. The file was checked at the start: what is wrong now was changed
    /// since, and ends the replay.
    fn read_on(&mut self) {
        while self.prints.is_empty() && self.stopped.is_none() && self.begun < self.rows {
            match self.reader.next(&mut self.prints) {
                Ok(true) => self.begun = self.begun.saturating_add(1),
                Ok(false) => {
                    let (file, line) = (self.reader.source.path().display(), self.reader.source.line());
                    self.stopped = Some(format!("`{file}` ends at line {line}: it was cut off after the start"));
                }
                Err(error) => self.stopped = Some(format!("changed after the start: {error}")),
            }
        }
    }

    pub(crate) fn status(&self, symbol: &str) -> ReplayStatus {
        ReplayStatus {
            symbol: symbol.to_owned(),
            file: self.reader.source.path().display().to_string(),
            kind: self.reader.kind,
            rows: self.rows,
            begun: self.begun,
            shift_ms: self.shift.0 / 1_000,
            refused: self.refused,
            first_refusal: self.first_refusal.clone(),
            stopped: self.stopped.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_counts_rows_and_bytes_to_the_end() {
        let recording = Recording::new(concat!(env!("CARGO_MANIFEST_DIR"), "/recordings/trades.csv"));
        let mut told = Vec::new();
        let loaded = check(&recording, &SymbolSpec::default(), 10, |progress| {
            told.push((progress.rows, progress.bytes, progress.of_bytes));
        });
        let size = std::fs::metadata(&recording.path).expect("the sample").len();
        assert_eq!(loaded.expect("a recording").rows, 24);
        assert_eq!(told, [(10, size, size), (20, size, size)], "the whole file fits into one block");
    }
}
