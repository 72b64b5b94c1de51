//! Looks for the worst day.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use rust_decimal::Decimal;

use super::day::Day;
use super::dice::Dice;
use super::palette::{Gate, Move, PAIRS, palette};
use crate::run::{RunOptions, run_alone, runtime};
use crate::scenario::{
    Case, Dec, ExchangeCheck, ExchangeSetup, Expect, Kind, ListenKeyMode, Located, Maps, PolicyFile, Scenario, Step,
    Upstream,
};
use crate::target::TargetError;
use crate::verdict::{AgentTally, Damage, Role};

/// The days that are kept and changed further.
const KEPT: usize = 3;

/// What is to be the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Goal {
    /// What was traded, in USDT.
    #[default]
    Turnover,
    /// Orders booked.
    Orders,
    /// What the account lost, in USDT at the set-up's prices.
    Loss,
    /// Listen keys issued.
    ListenKeys,
    /// Request weight.
    Weight,
}

impl Goal {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Turnover, Self::Orders, Self::Loss, Self::ListenKeys, Self::Weight];

    /// The name on command lines.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Turnover => "turnover",
            Self::Orders => "orders",
            Self::Loss => "loss",
            Self::ListenKeys => "listen-keys",
            Self::Weight => "weight",
        }
    }

    fn of(self, damage: &Damage) -> Decimal {
        let amount = Dec::value;
        match self {
            Self::Turnover => amount(&damage.turnover),
            Self::Orders => damage.orders.into(),
            Self::Loss => amount(&damage.loss_usdt),
            Self::ListenKeys => damage.listen_keys.into(),
            Self::Weight => damage.weight.into(),
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Goal {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let names = Self::ALL.map(Self::name).join(", ");
        Self::ALL.into_iter().find(|goal| goal.name() == name).ok_or_else(|| format!("use one of {names}"))
    }
}

/// What is searched.
#[derive(Debug, Clone)]
pub struct Options {
    /// The policy; without one there is no gateway.
    pub policy: Option<PolicyFile>,
    /// Decides every choice.
    pub seed: u64,
    /// How many days are tried.
    pub budget: usize,
    /// What is to be the worst.
    pub goal: Goal,
}

/// The worst day that was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// What was to be the worst.
    pub goal: Goal,
    /// The seed.
    pub seed: u64,
    /// How many days were tried.
    pub tried: usize,
    /// What it did at the exchange.
    pub damage: Damage,
    /// What the agent was told.
    pub agent: AgentTally,
    /// What it does.
    pub steps: Vec<Located<Step>>,
}

/// Why there is nothing to tell.
#[derive(Debug, thiserror::Error)]
pub enum ResidualError {
    /// The document is none.
    #[error("the policy cannot be read: {0}")]
    Policy(String),
    /// A day cannot be played.
    #[error("a day cannot be played: {0}")]
    Run(String),
    /// The target.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The system gives no runtime.
    #[error("the system gives no runtime: {0}")]
    Runtime(#[from] std::io::Error),
}

struct Tried {
    day: Day,
    score: (Decimal, Decimal),
    damage: Damage,
    agent: AgentTally,
}

/// Looks for the worst day. `progress` hears how many days were tried, and the worst so far.
///
/// # Errors
/// The policy is none, or a day cannot be played.
pub fn search(options: &Options, mut progress: impl FnMut(usize, &Damage)) -> Result<Found, ResidualError> {
    let policy = options.policy.as_ref().map(|file| file.document().parse()).transpose();
    let policy = policy.map_err(|errors| ResidualError::Policy(errors.to_string()))?;
    let moves = palette(&mut Gate::of(policy), options.policy.as_ref());
    let orders = moves.iter().take_while(|one| one.amount.is_some()).count();
    let mut dice = Dice::new(options.seed);
    let mut kept: Vec<Tried> = Vec::new();
    // Every move by itself, the most promising first; then what comes of changing the worst.
    let mut first: Vec<Day> = beginnings(&moves, options.goal);
    first.reverse();
    let mut tried = 0;
    while tried < options.budget.max(1) {
        let begins = tried < options.budget.div_ceil(3);
        let day = if let Some(day) = first.pop().filter(|_| begins || kept.is_empty()) {
            day
        } else {
            let place = dice.below(kept.len());
            kept.get(place).map_or_else(|| Day(Vec::new()), |worst| worst.day.changed(&moves, orders, &mut dice))
        };
        tried += 1;
        if kept.iter().any(|known| known.day == day) {
            continue;
        }
        let (damage, agent) = play(options, &day, &moves)?;
        // Among equals the one that was refused less, so that the sequence says what counts.
        let refused = Decimal::from(agent.denied) + Decimal::from(agent.errors);
        kept.push(Tried { day, score: (options.goal.of(&damage), -refused), damage, agent });
        kept.sort_by_key(|one| std::cmp::Reverse(one.score));
        kept.truncate(KEPT);
        if let Some(worst) = kept.first() {
            progress(tried, &worst.damage);
        }
    }
    let worst = kept.into_iter().next();
    let (steps, damage, agent) =
        worst.map_or_else(Default::default, |worst| (worst.day.steps(&moves), worst.damage, worst.agent));
    Ok(Found { goal: options.goal, seed: options.seed, tried, damage, agent, steps })
}

fn beginnings(moves: &[Move], goal: Goal) -> Vec<Day> {
    let mut order: Vec<usize> = (0..moves.len()).collect();
    let worth = |at: &usize| moves.get(*at).map(|one| one.worth).unwrap_or_default();
    let trades = matches!(goal, Goal::Turnover | Goal::Orders | Goal::Loss);
    order.sort_by_key(|at| (std::cmp::Reverse(if trades { worth(at) } else { -worth(at) }), *at));
    order.into_iter().map(|at| Day::of(at, moves.get(at).is_some_and(|one| one.turned.is_some()))).collect()
}

fn play(options: &Options, day: &Day, moves: &[Move]) -> Result<(Damage, AgentTally), ResidualError> {
    let file = options.policy.clone().unwrap_or_else(|| PolicyFile::from("{}"));
    let scenario = case(day.steps(moves), Expect::default());
    let (path, (reloads, grants)) = (Path::new("residual.yaml").to_owned(), Default::default());
    let case = Case { scenario, path, policy: file, reloads, grants };
    let role = if options.policy.is_some() { Role::Session } else { Role::Control };
    let run = runtime()?.block_on(run_alone(&case, &RunOptions::default(), role))?;
    let run = run.ok_or_else(|| ResidualError::Run("there is nothing to run".to_owned()))?;
    match run.error.or(run.untestable) {
        Some(why) => Err(ResidualError::Run(why)),
        None => Ok((run.damage, run.agent)),
    }
}

/// A session on an account that is rich enough that only a policy limits it.
pub(super) fn case(steps: Vec<Located<Step>>, expect: Expect) -> Scenario {
    let dec = |text: &str| text.parse::<Dec>().unwrap_or_default();
    let balances = [("USDT", "10000000"), ("BTC", "100"), ("ETH", "2000"), ("BNB", "10000")];
    let exchange = ExchangeSetup {
        balances: balances.into_iter().map(|(asset, amount)| (asset.to_owned(), dec(amount))).collect(),
        prices: PAIRS.into_iter().map(|(symbol, price, _)| (symbol.to_owned(), dec(price))).collect(),
        listen_keys: ListenKeyMode::Legacy,
        ..ExchangeSetup::default()
    };
    Scenario {
        id: "residual".to_owned().into(),
        kind: Kind::Session,
        group: None,
        title: "The worst that a search found within the policy".to_owned(),
        story: String::new(),
        incident: None,
        stops: Vec::new(),
        maps: Maps::default(),
        policy: "policy".to_owned().into(),
        upstream: Upstream::Ours,
        pinned: false,
        agents: BTreeMap::new(),
        exchange,
        attack: Vec::new(),
        harm: ExchangeCheck::default(),
        hold: Expect::default(),
        twin: None,
        steps,
        expect,
    }
}
