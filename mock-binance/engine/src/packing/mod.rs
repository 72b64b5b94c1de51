//! Numbers as few bytes: what the journal, closed orders and trades are kept in.
//!
//! Whole numbers take seven bits a byte, signed ones folded onto unsigned. Prices and quantities mostly end in many
//! zeros, being multiples of a tick or a step, so their tens are counted apart. What grows is told by how much.

mod pages;
mod series;
mod terms;

pub(crate) use pages::Pages;
pub(crate) use series::Series;
pub(crate) use terms::Terms;

use crate::journal::codec::Context;

/// The tens that are taken off a number at most: what three bits can count.
const TENS: [(u32, i64); 3] = [(4, 10_000), (2, 100), (1, 10)];

pub(crate) fn put_u64(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = u8::try_from(value & 0x7f).unwrap_or_default();
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

const fn fold(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

const fn unfold(folded: u64) -> i64 {
    (folded >> 1).cast_signed() ^ -(folded & 1).cast_signed()
}

/// How far a number is from another one.
pub(crate) fn put_delta(out: &mut Vec<u8>, from: u64, to: u64) {
    put_u64(out, fold(to.wrapping_sub(from).cast_signed()));
}

/// The place of a value in the list of all values of its kind, as one digit of a number of mixed base.
pub(crate) fn digit<T: PartialEq>(number: u64, all: &[T], value: &T) -> u64 {
    let place = all.iter().position(|one| one == value).unwrap_or_default();
    number * all.len() as u64 + place as u64
}

/// Takes the last digit off a number of mixed base.
pub(crate) fn of_digit<T: Copy>(number: &mut u64, all: &[T]) -> Option<T> {
    let base = all.len() as u64;
    let place = usize::try_from(number.checked_rem(base)?).ok()?;
    *number /= base;
    all.get(place).copied()
}

/// A span of time. The first byte has in its lowest bit whether it is in microseconds, then six bits of the number:
/// clocks mostly tick in whole milliseconds.
pub(crate) fn put_micros(out: &mut Vec<u8>, micros: u64) {
    let (number, fine) = if micros.is_multiple_of(1_000) { (micros / 1_000, 0) } else { (micros, 1) };
    let first = u8::try_from(fine | (number & 0x3f) << 1).unwrap_or_default();
    match number >> 6 {
        0 => out.push(first),
        more => {
            out.push(first | 0x80);
            put_u64(out, more);
        }
    }
}

/// A count of hundred-millionths. The first byte has the tens in its lowest three bits, then four bits of the rest.
pub(crate) fn put_units(out: &mut Vec<u8>, units: i64) {
    let (mut rest, mut tens) = (units, 0_u64);
    if rest != 0 {
        for (count, power) in TENS {
            if rest % power == 0 {
                rest /= power;
                tens += u64::from(count);
            }
        }
    }
    let folded = fold(rest);
    let first = u8::try_from(tens | (folded & 0xf) << 3).unwrap_or_default();
    match folded >> 4 {
        0 => out.push(first),
        more => {
            out.push(first | 0x80);
            put_u64(out, more);
        }
    }
}

/// Reads what the functions above wrote; `None` at anything else.
pub(crate) struct Reader<'a> {
    pub(crate) bytes: &'a [u8],
    /// What a fact of the journal is told relative to.
    pub(crate) context: Context,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, context: Context::default() }
    }

    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    pub(crate) fn delta(&mut self, from: u64) -> Option<u64> {
        Some(from.wrapping_add(unfold(self.u64()?).cast_unsigned()))
    }

    pub(crate) fn units(&mut self) -> Option<i64> {
        let first = self.byte()?;
        let low = u64::from(first >> 3 & 0xf);
        let folded = if first & 0x80 == 0 { low } else { low | self.u64()?.checked_mul(16)? };
        unfold(folded).checked_mul(10_i64.pow(u32::from(first & 0x7)))
    }

    pub(crate) fn micros(&mut self) -> Option<u64> {
        let first = self.byte()?;
        let low = u64::from(first >> 1 & 0x3f);
        let number = if first & 0x80 == 0 { low } else { low | self.u64()?.checked_mul(64)? };
        if first & 1 == 0 { number.checked_mul(1_000) } else { Some(number) }
    }

    pub(crate) fn narrow<T: TryFrom<u64>>(&mut self) -> Option<T> {
        T::try_from(self.u64()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_size_come_back() {
        for value in [0, 1, -1, 7, 8, -8, 63, 64, -64, -65, 10, 100_000, -1_000_000_000_000, i64::MAX, i64::MIN] {
            let mut bytes = Vec::new();
            put_u64(&mut bytes, value.cast_unsigned());
            put_units(&mut bytes, value);
            let mut reader = Reader::new(&bytes);
            assert_eq!((reader.u64(), reader.units()), (Some(value.cast_unsigned()), Some(value)));
            assert!(reader.rest().is_empty(), "{value}");
        }
    }

    #[test]
    fn spans_of_every_length_come_back() {
        for micros in [0, 1, 999, 1_000, 63_000, 64_000, 64_001, 3_000_000, u64::MAX - u64::MAX % 1_000, u64::MAX] {
            let mut bytes = Vec::new();
            put_micros(&mut bytes, micros);
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.micros(), Some(micros));
            assert!(reader.rest().is_empty(), "{micros}");
        }
        let mut bytes = Vec::new();
        put_micros(&mut bytes, 63_000);
        assert_eq!(bytes.len(), 1);
        // More than 64 bits of them.
        bytes = vec![0x80];
        put_u64(&mut bytes, u64::MAX / 64);
        assert_eq!(Reader::new(&bytes).micros(), None);
        bytes = vec![0x81];
        put_u64(&mut bytes, u64::MAX);
        assert_eq!(Reader::new(&bytes).micros(), None);
    }

    #[test]
    fn a_price_on_a_tick_takes_few_bytes() {
        for (units, most) in [(0, 1), (6_000_000_000_000, 4), (6_012_345_000_000, 4), (123_000, 2)] {
            let mut bytes = Vec::new();
            put_units(&mut bytes, units);
            assert!(bytes.len() <= most, "{units} takes {} bytes", bytes.len());
        }
    }

    #[test]
    fn what_is_beyond_the_range_is_refused() {
        let mut bytes = vec![0x87];
        put_u64(&mut bytes, u64::MAX);
        assert_eq!(Reader::new(&bytes).units(), None);
        assert_eq!(Reader::new(&[0x80]).units(), None);
    }
}
