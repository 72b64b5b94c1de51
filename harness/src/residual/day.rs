//! A day of an adversary: blocks of calls, and how they are written out.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::dice::Dice;
use super::palette::Move;
use crate::scenario::{Args, Call, Located, Span, Step};

/// A day has as many milliseconds, and no search goes further.
pub(super) const DAY_MS: u64 = 86_400_000;

/// So many calls of a day at most are made: what it takes to find a day out grows with them.
const CALLS_MAX: usize = 600;

/// Between two calls of a block: nothing, and a little more than the windows that policies have.
const GAPS_MS: [u64; 11] = [0, 100, 1_000, 2_000, 6_001, 20_001, 60_001, 301_000, 900_000, 1_801_000, 3_601_000];

/// The same call, or the same two in turn, again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) call: usize,
    /// Whether every other call is on the other side.
    pub(super) in_turn: bool,
    /// Whether each call is a little smaller than the one before, so that no two are the same.
    pub(super) varied: bool,
    pub(super) times: usize,
    pub(super) gap_ms: u64,
}

/// What is done in a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Day(pub(super) Vec<Block>);

impl Day {
    /// A day to begin with.
    pub(super) fn of(call: usize, in_turn: bool) -> Self {
        Self(vec![Block { call, in_turn, varied: true, times: 24, gap_ms: 6_001 }])
    }

    /// The calls one by one, each with the time that passes after it.
    pub(super) fn calls(&self, moves: &[Move]) -> Vec<(Call, u64)> {
        let mut calls = Vec::new();
        let mut passed = 0_u64;
        for block in &self.0 {
            for turn in 0..block.times {
                passed = passed.saturating_add(block.gap_ms);
                if calls.len() == CALLS_MAX || passed > DAY_MS {
                    return calls;
                }
                let Some(first) = moves.get(block.call) else { continue };
                let other = first.turned.filter(|_| block.in_turn && turn % 2 == 1).and_then(|at| moves.get(at));
                calls.push((said(other.unwrap_or(first), if block.varied { turn } else { 0 }), block.gap_ms));
            }
        }
        calls
    }

    /// As the steps of a script.
    pub(super) fn steps(&self, moves: &[Move]) -> Vec<Located<Step>> {
        let mut steps = Vec::new();
        for (call, gap_ms) in self.calls(moves) {
            steps.push(Step::Call(call).into());
            if gap_ms > 0 {
                steps.push(Step::Advance(Span::from_millis(gap_ms)).into());
            }
        }
        steps
    }

    /// The day with something changed.
    pub(super) fn changed(&self, moves: &[Move], orders: usize, dice: &mut Dice) -> Self {
        let mut day = self.clone();
        let count = day.0.len();
        let at = dice.below(count);
        let what = dice.below(10);
        let any = |dice: &mut Dice| if dice.below(4) == 0 { dice.below(moves.len()) } else { dice.below(orders) };
        if let Some(block) = day.0.get_mut(at) {
            match what {
                0 => block.times = block.times.saturating_mul(2).min(CALLS_MAX),
                1 => block.times = (block.times / 2).max(1),
                2 => block.times = block.times.saturating_add(1 + dice.below(8)).min(CALLS_MAX),
                3 => block.gap_ms = dice.one_of(&GAPS_MS).copied().unwrap_or_default(),
                4 => block.varied = !block.varied,
                5 => block.in_turn = !block.in_turn,
                6 => block.call = any(dice),
                _ => {}
            }
        }
        match what {
            7 if count < 8 => {
                let gap_ms = dice.one_of(&GAPS_MS).copied().unwrap_or_default();
                let block = Block {
                    call: any(dice),
                    in_turn: dice.below(2) == 0,
                    varied: true,
                    times: 4 + dice.below(40),
                    gap_ms,
                };
                day.0.push(block);
            }
            8 if count > 1 => drop(day.0.remove(at)),
            9 if count < 5 => day.0.extend(self.0.clone()),
            _ => {}
        }
        day
    }
}

fn said(what: &Move, turn: usize) -> Call {
    let mut args = what.args.clone();
    if let Some((name, step)) = what.amount {
        // Eight sizes, so that an amount stays near the largest.
        let less = u32::try_from(turn / 2 % 8).map(Decimal::from).ok().and_then(|turns| turns.checked_mul(step));
        let amount = args.get(name).and_then(Value::as_str).and_then(|text| text.parse::<Decimal>().ok());
        let smaller = amount.zip(less).and_then(|(amount, less)| amount.checked_sub(less));
        if let Some(smaller) = smaller.filter(|smaller| *smaller > Decimal::ZERO) {
            args.insert(name.to_owned(), json!(smaller.normalize().to_string()));
        }
    }
    Call { tool: what.tool.to_owned(), args: Args(args), ..Call::default() }
}
