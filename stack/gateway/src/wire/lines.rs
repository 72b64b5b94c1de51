//! Cuts a byte stream into frames: one line each, bounded in size.

use std::io::BufRead;

/// How much is asked of a peer at a time.
pub(crate) const CHUNK: usize = 64 * 1024;

/// How much of an oversize line is kept, to find out whose it was.
const KEPT_PREFIX: usize = 1024;

/// What the next piece of the stream is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    /// A whole line, without its end (`\n` or `\r\n`). Never empty.
    Frame(&'a [u8]),
    /// A line longer than the limit, reported once; its beginning. The rest will be skipped.
    Oversize(&'a [u8]),
}

/// The bytes read so far and not yet taken as lines.
#[derive(Debug)]
pub(crate) struct LineBuffer {
    bytes: Vec<u8>,
    /// Where the next line begins.
    start: usize,
    /// Up to where there is known to be no newline.
    scanned: usize,
    max_frame: usize,
    /// Inside an oversize line that was reported already.
    skipping: bool,
}

impl LineBuffer {
    pub(crate) fn new(max_frame: usize) -> Self {
        Self { bytes: Vec::new(), start: 0, scanned: 0, max_frame, skipping: false }
    }

    /// The buffer to read the peer's next bytes into, appended at its end.
    ///
    /// To be called only when [`LineBuffer::next_line`] has nothing more to give: what is in front
    /// of the unfinished line is dropped here.
    pub(crate) fn space(&mut self) -> &mut Vec<u8> {
        self.bytes.drain(..self.start);
        self.scanned -= self.start;
        self.start = 0;
        if self.bytes.is_empty() {
            self.bytes.shrink_to(4 * CHUNK);
        }
        self.bytes.reserve(CHUNK);
        &mut self.bytes
    }

    /// Takes the next line, or `None` when more bytes are needed.
    pub(crate) fn next_line(&mut self) -> Option<Line<'_>> {
        loop {
            let from = self.start;
            let unscanned = self.bytes.get(self.scanned..).unwrap_or_default();
            let Some(end) = newline_in(unscanned).map(|at| self.scanned + at) else {
                return self.unended(from);
            };
            self.start = end + 1;
            self.scanned = self.start;
            if std::mem::take(&mut self.skipping) {
                continue;
            }
            let line = self.bytes.get(from..end).unwrap_or_default();
            if line.len() > self.max_frame {
                return Some(Line::Oversize(prefix(&self.bytes, from, end)));
            }
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if !line.iter().all(u8::is_ascii_whitespace) {
                // Asked for again because a borrow in a loop may not be returned from one branch.
                let end = from + line.len();
                return Some(Line::Frame(self.bytes.get(from..end).unwrap_or_default()));
            }
        }
    }

    /// Nothing, unless the line that has not ended yet is too long already.
    fn unended(&mut self, from: usize) -> Option<Line<'_>> {
        self.scanned = self.bytes.len();
        let too_long = !self.skipping && self.scanned - from > self.max_frame;
        self.skipping |= too_long;
        if self.skipping {
            self.start = self.scanned;
        }
        too_long.then(|| Line::Oversize(prefix(&self.bytes, from, self.scanned)))
    }

    /// The beginning of a last line that never got its newline. A frame cut short by the end of
    /// the stream is not a frame.
    pub(crate) fn unfinished(&self) -> Option<&[u8]> {
        let rest = self.bytes.get(self.start..).unwrap_or_default();
        let blank = self.skipping || rest.iter().all(u8::is_ascii_whitespace);
        (!blank).then(|| prefix(&self.bytes, self.start, self.bytes.len()))
    }
}

/// The standard library's search for a byte, which is much faster than comparing one by one.
fn newline_in(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    let skipped = rest.skip_until(b'\n').ok()?;
    let last = skipped.checked_sub(1)?;
    (bytes.get(last) == Some(&b'\n')).then_some(last)
}

fn prefix(bytes: &[u8], from: usize, to: usize) -> &[u8] {
    bytes.get(from..to.min(from + KEPT_PREFIX)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `input` in pieces of `step` bytes; oversize lines are shown as `!`.
    fn cut(input: &[u8], step: usize, max: usize) -> (Vec<String>, Option<String>) {
        let mut lines = LineBuffer::new(max);
        let mut out = Vec::new();
        for piece in input.chunks(step) {
            lines.space().extend_from_slice(piece);
            while let Some(line) = lines.next_line() {
                out.push(match line {
                    Line::Frame(frame) => String::from_utf8_lossy(frame).into_owned(),
                    Line::Oversize(_) => "!".to_owned(),
                });
            }
        }
        (out, lines.unfinished().map(|rest| String::from_utf8_lossy(rest).into_owned()))
    }

    #[test]
    fn lines_are_the_same_however_they_arrive() {
        let input = b"one\r\n\n  \ntwo\nthis line is far too long\nthree\n12345678\n123456789\nfo";
        for step in 1..input.len() {
            let (lines, rest) = cut(input, step, 8);
            assert_eq!(lines, ["one", "two", "!", "three", "12345678", "!"], "step {step}");
            assert_eq!(rest.as_deref(), Some("fo"));
        }
    }

    #[test]
    fn an_endless_line_is_reported_once_and_not_kept() {
        let mut lines = LineBuffer::new(1000);
        let mut reports = 0;
        for _ in 0..1000 {
            lines.space().extend_from_slice(&[b'x'; 1000]);
            while let Some(line) = lines.next_line() {
                assert!(matches!(line, Line::Oversize(_)));
                reports += 1;
            }
            assert!(lines.bytes.len() <= 3000);
        }
        assert_eq!(reports, 1);
        assert_eq!(lines.unfinished(), None);
    }
}
