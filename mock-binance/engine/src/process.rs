//! Where a market's price goes, step by step: integers only, and nothing but the seed decides.
//!
//! ```text
//! price of step n  =  start * (1 + shape(n) + noise(n))      all in millionths
//!
//! calm, thin book  ----------      trend  ....../      crash  ----.           spike  ----.^.----
//!                                         ...../                   \____
//! ```
//!
//! The noise is a random walk that is pulled back to zero, so that a market stays near its shape however long it runs.

use crate::ids::{SymbolId, mix};
use crate::money::Price;

const MILLION: i64 = 1_000_000;
/// A price never falls below a hundredth of where it began.
const LOWEST: i64 = MILLION / 100;
/// Nor rises above a hundred times that.
const HIGHEST: i64 = 100 * MILLION;
/// Of its distance from zero, the noise loses one part in so many with each step.
const PULL: i64 = 16;

/// What a market does beside its noise. Changes are in millionths of the price at the start; steps count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Nothing.
    Calm,
    /// So much more (or less) with each step.
    Trend {
        /// The change of one step.
        change_ppm: i64,
    },
    /// From one step on it changes steadily, and stays there.
    Crash {
        /// The whole change; below zero for a fall.
        change_ppm: i64,
        /// The last step before it.
        after: u64,
        /// Steps from the first change to the last.
        over: u64,
    },
    /// As a crash, but it comes back in as many steps.
    Spike {
        /// The change at the peak.
        change_ppm: i64,
        /// The last step before it.
        after: u64,
        /// Steps from the first change to the peak, and from there back.
        over: u64,
    },
    /// Nothing; but from one step on the book is so thin that a small order moves it.
    ThinBook {
        /// The last step before it.
        after: u64,
    },
}

/// A price process: a shape, noise, and how often it steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// What the market does.
    pub shape: Shape,
    /// The most that the noise changes in one step, in millionths of the price at the start.
    pub noise_ppm: u32,
    /// From step to step.
    pub step_millis: u64,
}

/// A process under way. A copy of it goes on as the original does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walk {
    process: Process,
    start: Price,
    seed: u64,
    steps: u64,
    noise_ppm: i64,
}

impl Walk {
    /// A walk from a price. The same seed and symbol give the same walk.
    pub const fn new(process: Process, symbol: SymbolId, start: Price, seed: u64) -> Self {
        let seed = mix(seed ^ (symbol.0 as u64).rotate_left(32));
        Self { process, start, seed, steps: 0, noise_ppm: 0 }
    }

    /// What walks.
    pub const fn process(&self) -> &Process {
        &self.process
    }

    /// Steps done.
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// Whether the book is to be thin now.
    pub const fn is_thin(&self) -> bool {
        matches!(self.process.shape, Shape::ThinBook { after } if self.steps > after)
    }

    /// Takes a step and tells the price, before it is brought to a tick. It is always above zero, and never above what
    /// a price can be.
    pub fn step(&mut self) -> Price {
        self.steps = self.steps.saturating_add(1);
        let most = i64::from(self.process.noise_ppm);
        let width = u64::from(self.process.noise_ppm).saturating_mul(2).saturating_add(1);
        // Less than 2^33, so it fits.
        let drawn = i64::try_from(mix(self.seed ^ mix(self.steps)) % width).unwrap_or_default();
        self.noise_ppm = (self.noise_ppm - self.noise_ppm / PULL).saturating_add(drawn - most);
        let shape = self.process.shape.at(self.steps);
        let parts = MILLION.saturating_add(shape).saturating_add(self.noise_ppm).clamp(LOWEST, HIGHEST);
        let units = i128::from(self.start.units()) * i128::from(parts) / i128::from(MILLION);
        Price::from_units(i64::try_from(units).unwrap_or(i64::MAX).max(1))
    }
}

impl Shape {
    /// The change after so many steps.
    fn at(self, step: u64) -> i64 {
        match self {
            Self::Calm | Self::ThinBook { .. } => 0,
            Self::Trend { change_ppm } => change_ppm.saturating_mul(i64::try_from(step).unwrap_or(i64::MAX)),
            Self::Crash { change_ppm, after, over } => part(change_ppm, step.saturating_sub(after), over),
            Self::Spike { change_ppm, after, over } => {
                let into = step.saturating_sub(after);
                let back = over.saturating_mul(2).saturating_sub(into);
                part(change_ppm, into.min(back), over)
            }
        }
    }
}

/// The change after `done` of `over` steps.
fn part(change_ppm: i64, done: u64, over: u64) -> i64 {
    let over = over.max(1);
    let done = done.min(over);
    i64::try_from(i128::from(change_ppm) * i128::from(done) / i128::from(over)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prices(shape: Shape, noise_ppm: u32, steps: usize) -> Vec<i64> {
        let process = Process { shape, noise_ppm, step_millis: 1_000 };
        let mut walk = Walk::new(process, SymbolId(0), Price::from_units(1_000_000), 7);
        (0..steps).map(|_| walk.step().units()).collect()
    }

    #[test]
    fn shapes_without_noise_are_what_their_names_say() {
        assert_eq!(prices(Shape::Calm, 0, 3), [1_000_000; 3]);
        assert_eq!(prices(Shape::Trend { change_ppm: 10 }, 0, 3), [1_000_010, 1_000_020, 1_000_030]);
        let crash = Shape::Crash { change_ppm: -300_000, after: 1, over: 3 };
        assert_eq!(prices(crash, 0, 6), [1_000_000, 900_000, 800_000, 700_000, 700_000, 700_000]);
        let spike = Shape::Spike { change_ppm: 200_000, after: 1, over: 2 };
        assert_eq!(prices(spike, 0, 6), [1_000_000, 1_100_000, 1_200_000, 1_100_000, 1_000_000, 1_000_000]);
    }

    #[test]
    fn noise_repeats_stays_near_and_differs_from_symbol_to_symbol() {
        let walk = prices(Shape::Calm, 200, 10_000);
        assert_eq!(walk, prices(Shape::Calm, 200, 10_000));
        assert!(walk.iter().all(|price| (990_000..=1_010_000).contains(price)), "it is pulled back");
        assert!(walk.windows(2).any(|pair| pair.first() != pair.last()));
        let process = Process { shape: Shape::Calm, noise_ppm: 200, step_millis: 1_000 };
        let mut other = Walk::new(process, SymbolId(1), Price::from_units(1_000_000), 7);
        assert_ne!(walk, (0..10_000).map(|_| other.step().units()).collect::<Vec<_>>());
    }

    #[test]
    fn nothing_leaves_the_range_of_prices() {
        let down = prices(Shape::Trend { change_ppm: i64::MIN }, u32::MAX, 4);
        assert!(down.iter().all(|price| *price >= 1), "{down:?}");
        let process =
            Process { shape: Shape::Trend { change_ppm: i64::MAX }, noise_ppm: u32::MAX, step_millis: u64::MAX };
        let mut up = Walk::new(process, SymbolId(0), Price::MAX, 7);
        for _ in 0..4 {
            assert!(up.step().is_positive());
        }
    }

    #[test]
    fn a_copy_goes_on_as_the_original_does() {
        let process = Process { shape: Shape::Calm, noise_ppm: 500, step_millis: 1_000 };
        let mut walk = Walk::new(process, SymbolId(0), Price::from_units(1_000_000), 7);
        walk.step();
        let mut copy = walk.clone();
        assert_eq!(walk.step(), copy.step());
        assert_eq!(walk, copy);
    }
}
