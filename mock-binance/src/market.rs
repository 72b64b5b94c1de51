//! Markets that move by themselves, and how a process is written as text.

use exchange_engine::process::{Process, Shape, Walk};
use exchange_engine::{Event, Exchange, Price, SymbolId, SymbolSpec, Timestamp};

use crate::house::House;
use crate::mover::Deal;
use crate::replay::{Playing, ReplayStatus};
use crate::symbols::Symbols;

/// The markets that move. A copy of them goes on as the original does.
#[derive(Debug, Clone, Default)]
pub(crate) struct Markets {
    moving: Vec<Moving>,
    playing: Vec<Playing>,
}

#[derive(Debug, Clone)]
struct Moving {
    symbol: SymbolId,
    walk: Walk,
    next: Timestamp,
}

impl Markets {
    /// Lets a symbol's market move from now on.
    pub(crate) fn begin(&mut self, now: Timestamp, symbol: SymbolId, walk: Walk) {
        let next = now.plus_millis(walk.process().step_millis);
        self.moving.push(Moving { symbol, walk, next });
    }

    /// Lets a recorded market happen.
    pub(crate) fn replay(&mut self, playing: Playing) {
        self.playing.push(playing);
    }

    /// How far the recorded markets have come.
    pub(crate) fn replays(&self, symbols: &Symbols) -> Vec<ReplayStatus> {
        self.playing.iter().map(|playing| playing.status(symbols.name(playing.symbol))).collect()
    }

    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        let recorded = self.playing.iter().filter_map(Playing::next).min();
        self.moving.iter().map(|moving| moving.next).chain(recorded).min()
    }

    /// Takes the steps that are due, each at its own moment and in the order of their moments, so that a clock that
    /// jumps gives the same history as one that creeps.
    pub(crate) fn run_due(
        &mut self,
        now: Timestamp,
        exchange: &mut Exchange,
        house: &mut House,
        events: &mut Vec<Event>,
    ) {
        loop {
            let step = self.moving.iter_mut().min_by_key(|moving| moving.next).filter(|moving| moving.next <= now);
            let recorded = self.playing.iter_mut().filter_map(|playing| Some((playing.next()?, playing)));
            let recorded = recorded.min_by_key(|(at, _)| *at).filter(|(at, _)| *at <= now);
            match (step, recorded) {
                (Some(moving), recorded) if recorded.as_ref().is_none_or(|(at, _)| moving.next <= *at) => {
                    moving.take_step(exchange, house, events);
                }
                (_, Some((at, playing))) => {
                    let Some(deal) = playing.take() else { continue };
                    if let Some(Err(why)) = house.move_to(exchange, at, playing.symbol, deal, events) {
                        playing.refuse(at, deal, why);
                    }
                }
                (_, None) => return,
            }
        }
    }
}

impl Moving {
    fn take_step(&mut self, exchange: &mut Exchange, house: &mut House, events: &mut Vec<Event>) {
        let at = self.next;
        self.next = at.plus_millis(self.walk.process().step_millis);
        let price = self.walk.step();
        if self.walk.is_thin() {
            house.thin(exchange, at, self.symbol, events);
        }
        let Some(price) = exchange.spec().symbol(self.symbol).map(|spec| on_tick(spec, price)) else { return };
        // A halted market does not move, and one below its smallest price neither; the journal tells a refusal.
        if price.is_positive() {
            let _ = house.move_to(exchange, at, self.symbol, Deal::at(price), events);
        }
    }
}

/// A price taken down to the symbol's tick.
pub(crate) fn on_tick(spec: &SymbolSpec, price: Price) -> Price {
    spec.filters.price.map_or(price, |filter| price.floor_to(filter.tick))
}

/// A text that describes no price process.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProcessError {
    /// No process of this name.
    #[error("there is no process `{0}`: write calm, trend, crash, spike or thin-book")]
    UnknownName(String),
    /// No figure of this name.
    #[error("`{name}` takes no `{key}`: it takes {known}")]
    UnknownKey {
        /// The process.
        name: String,
        /// What was given.
        key: String,
        /// What it takes.
        known: String,
    },
    /// A figure that is no whole number in its range.
    #[error("`{key}` is `{value}`: write a whole number from {least} to {most}")]
    Figure {
        /// Which.
        key: String,
        /// What was given.
        value: String,
        /// The smallest that is taken.
        least: i64,
        /// The largest that is taken.
        most: i64,
    },
    /// Something that is not `key=number`.
    #[error("`{0}` is no figure: write key=number, such as noise_ppm=200")]
    NoFigure(String),
}

const MILLION: i64 = 1_000_000;
const DAY_MS: i64 = 86_400_000;

/// Reads a process: its name, and figures after a colon where the defaults shall not hold.
///
/// ```
/// use mock_binance::{Shape, process};
///
/// let crash = process("crash:change_ppm=-500000,over=60")?;
/// assert_eq!(crash.shape, Shape::Crash { change_ppm: -500_000, after: 30, over: 60 });
/// assert_eq!(
///     process("crsh").unwrap_err().to_string(),
///     "there is no process `crsh`: write calm, trend, crash, spike or thin-book"
/// );
/// # Ok::<(), mock_binance::ProcessError>(())
/// ```
///
/// | figure | of | means | default |
/// |---|---|---|---|
/// | `step_ms` | all | milliseconds from step to step | 1000 |
/// | `noise_ppm` | all | the most that noise changes in a step, in millionths of the first price | 200 |
/// | `change_ppm` | trend | the change of each step, in the same millionths | 50 |
/// | `change_ppm` | crash, spike | the whole change | -300000, 200000 |
/// | `after` | crash, spike, thin-book | quiet steps before | 30 |
/// | `over` | crash, spike | steps from the first change to the last, or to the peak | 30, 5 |
pub fn process(text: &str) -> Result<Process, ProcessError> {
    let (name, figures) = text.split_once(':').unwrap_or((text, ""));
    let (keys, change, over): (&[&str], i64, u64) = match name {
        "calm" => (&["step_ms", "noise_ppm"], 0, 0),
        "trend" => (&["step_ms", "noise_ppm", "change_ppm"], 50, 0),
        "crash" => (&["step_ms", "noise_ppm", "change_ppm", "after", "over"], -300_000, 30),
        "spike" => (&["step_ms", "noise_ppm", "change_ppm", "after", "over"], 200_000, 5),
        "thin-book" => (&["step_ms", "noise_ppm", "after"], 0, 0),
        _ => return Err(ProcessError::UnknownName(name.to_owned())),
    };
    let (mut step_millis, mut noise_ppm, mut change_ppm, mut after, mut over) = (1_000, 200, change, 30, over);
    for given in figures.split(',').filter(|given| !given.is_empty()) {
        let (key, value) = given.split_once('=').ok_or_else(|| ProcessError::NoFigure(given.to_owned()))?;
        if !keys.contains(&key) {
            let (name, key, known) = (name.to_owned(), key.to_owned(), keys.join(", "));
            return Err(ProcessError::UnknownKey { name, key, known });
        }
        match key {
            "step_ms" => step_millis = figure(key, value, 1, DAY_MS)?,
            "noise_ppm" => noise_ppm = figure(key, value, 0, MILLION)?,
            "change_ppm" => change_ppm = figure(key, value, -99 * MILLION, 99 * MILLION)?,
            "after" => after = figure(key, value, 0, i64::MAX)?,
            _ => over = figure(key, value, 1, i64::MAX)?,
        }
    }
    let shape = match name {
        "trend" => Shape::Trend { change_ppm },
        "crash" => Shape::Crash { change_ppm, after, over },
        "spike" => Shape::Spike { change_ppm, after, over },
        "thin-book" => Shape::ThinBook { after },
        _ => Shape::Calm,
    };
    Ok(Process { shape, noise_ppm, step_millis })
}

fn figure<T: TryFrom<i64>>(key: &str, value: &str, least: i64, most: i64) -> Result<T, ProcessError> {
    let read = value.parse().ok().filter(|number| (least..=most).contains(number));
    read.and_then(|number| T::try_from(number).ok()).ok_or_else(|| ProcessError::Figure {
        key: key.to_owned(),
        value: value.to_owned(),
        least,
        most,
    })
}
