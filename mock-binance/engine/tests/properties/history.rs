//! Random histories, and the hand that carries them out.

use exchange_engine::{
    AccountId, AmendOrder, Amount, AssetId, CancelList, CancelOrder, CancelReplace, CancelRestriction, ClientOrderId,
    Command, Commissions, Discount, DiscountReading, Event, Exchange, ExchangeSpec, Instructions, LimitTerms,
    LimitsSpec, ListId, ListLegs, ListRef, MarketSize, NewOrder, NewOrderList, OcoLegs, OrderId, OrderKind, OrderRef,
    PendingLegs, PreventionMode, Price, Quantity, Ratio, Rejection, Reply, Side, StopGoal, SymbolId, SymbolSpec,
    TimeInForce, Timestamp, WindowLimit,
};
use proptest::prelude::*;

pub(crate) const SYMBOL: SymbolId = SymbolId(0);
pub(crate) const ASSETS: usize = 2;
pub(crate) const BASE: AssetId = AssetId(0);
pub(crate) const QUOTE: AssetId = AssetId(1);

/// Rates that leave something to round.
pub(crate) fn commissions() -> Commissions {
    Commissions::by_role(Ratio::from_units(123_457), Ratio::from_units(7_654_321))
}

#[derive(Debug, Clone)]
pub(crate) enum Step {
    Tick { millis: u64 },
    Command { account: AccountId, command: Wish },
}

/// A command whose orders are named by how long ago they were placed.
#[derive(Debug, Clone)]
pub(crate) enum Wish {
    Command(Command),
    Cancel { ago: u64, restriction: Option<CancelRestriction> },
    Amend { ago: u64, quantity: Quantity },
    Replace { ago: u64, order: NewOrder, stop_on_failure: bool },
}

/// Small prices and quantities of odd units, so that orders meet often and products have a long tail.
fn price() -> impl Strategy<Value = Price> {
    prop_oneof![
        4 => (1_i64..12).prop_map(|n| Price::from_units(n * 33_333_333)),
        1 => (1_i64..40).prop_map(Price::from_units),
        1 => Just(Price::from_units(9_000_000_000 * 100_000_000)),
    ]
}

fn quantity() -> impl Strategy<Value = Quantity> {
    prop_oneof![
        6 => (1_i64..9).prop_map(|n| Quantity::from_units(n * 77_777_777)),
        2 => (1_i64..9).prop_map(Quantity::from_units),
        1 => Just(Quantity::from_units(5_000_000_000 * 100_000_000)),
    ]
}

fn kind() -> impl Strategy<Value = OrderKind> {
    let time_in_force =
        prop_oneof![6 => Just(TimeInForce::Gtc), 1 => Just(TimeInForce::Ioc), 1 => Just(TimeInForce::Fok)];
    prop_oneof![
        6 => (time_in_force, quantity(), price())
            .prop_map(|(time_in_force, quantity, price)| OrderKind::Limit { time_in_force, quantity, price }),
        1 => (quantity(), price()).prop_map(|(quantity, price)| OrderKind::LimitMaker { quantity, price }),
        1 => quantity().prop_map(|quantity| OrderKind::Market { size: MarketSize::Base(quantity) }),
        1 => (1_i64..2_000_000_000)
            .prop_map(|units| OrderKind::Market { size: MarketSize::Quote(Amount::from_units(units)) }),
    ]
}

/// Any type, stop orders as often as the others together.
fn kind_or_stop() -> impl Strategy<Value = OrderKind> {
    let goal = prop_oneof![Just(StopGoal::Loss), Just(StopGoal::Profit)];
    let terms = proptest::option::of(
        (prop_oneof![3 => Just(TimeInForce::Gtc), 1 => Just(TimeInForce::Ioc), 1 => Just(TimeInForce::Fok)], price())
            .prop_map(|(time_in_force, price)| LimitTerms { time_in_force, price }),
    );
    let stop = (goal, price(), quantity(), terms).prop_map(|(goal, stop_price, quantity, limit)| OrderKind::Stop {
        goal,
        stop_price,
        quantity,
        limit,
    });
    prop_oneof![kind(), stop]
}

/// Mostly none.
fn instructions() -> impl Strategy<Value = Instructions> {
    let mode = proptest::sample::select(PreventionMode::ALL.to_vec());
    let prevention = proptest::option::weighted(0.5, mode);
    let iceberg = proptest::option::weighted(0.2, (1_i64..4).prop_map(|n| Quantity::from_units(n * 55_555_555)));
    let trailing_delta = proptest::option::weighted(0.2, 1_u16..3_000);
    (prevention, iceberg, trailing_delta).prop_map(|(prevention, iceberg, trailing_delta)| Instructions {
        prevention,
        iceberg,
        trailing_delta,
    })
}

/// An order with what its type takes of the instructions.
fn instructed(side: Side, kind: OrderKind, instructions: Instructions) -> NewOrder {
    let Instructions { prevention, iceberg, trailing_delta } = instructions;
    let (iceberg, trailing_delta) = match kind {
        OrderKind::Limit { time_in_force: TimeInForce::Gtc, .. } | OrderKind::LimitMaker { .. } => (iceberg, None),
        OrderKind::Stop { limit, .. } => {
            (iceberg.filter(|_| limit.is_some_and(|limit| limit.time_in_force == TimeInForce::Gtc)), trailing_delta)
        }
        _ => (None, None),
    };
    let kind = match kind {
        OrderKind::Stop { goal, quantity, limit, .. } if trailing_delta.is_some_and(|delta| delta % 2 == 0) => {
            OrderKind::Stop { goal, stop_price: Price::ZERO, quantity, limit }
        }
        kind => kind,
    };
    let instructions = Instructions { prevention, iceberg, trailing_delta };
    NewOrder { instructions, ..NewOrder::new(SYMBOL, side, kind) }
}

fn instructed_wish() -> impl Strategy<Value = Wish> {
    let side = prop_oneof![Just(Side::Buy), Just(Side::Sell)];
    (side, kind_or_stop(), instructions())
        .prop_map(|(side, kind, instructions)| Wish::Command(Command::Place(instructed(side, kind, instructions))))
}

fn wish(kind: impl Strategy<Value = OrderKind>) -> impl Strategy<Value = Wish> {
    let side = prop_oneof![Just(Side::Buy), Just(Side::Sell)];
    let client = proptest::option::weighted(0.3, "[abc]".prop_map(|s| s.parse::<ClientOrderId>().unwrap()));
    let asset = prop_oneof![Just(BASE), Just(QUOTE)];
    let amount = (1_i64..3_000_000_000).prop_map(Amount::from_units);
    let restriction = proptest::option::weighted(
        0.2,
        prop_oneof![Just(CancelRestriction::OnlyNew), Just(CancelRestriction::OnlyPartiallyFilled)],
    );
    prop_oneof![
        16 => (side, kind, client).prop_map(|(side, kind, client_order_id)| {
            Wish::Command(Command::Place(NewOrder { client_order_id, ..NewOrder::new(SYMBOL, side, kind) }))
        }),
        4 => (0_u64..8, restriction).prop_map(|(ago, restriction)| Wish::Cancel { ago, restriction }),
        1 => Just(Wish::Command(Command::CancelAll { symbol: SYMBOL })),
        1 => (asset.clone(), amount.clone())
            .prop_map(|(asset, amount)| Wish::Command(Command::Deposit { asset, amount })),
        1 => (asset, amount).prop_map(|(asset, amount)| Wish::Command(Command::Withdraw { asset, amount })),
    ]
}

/// Without orders that wait for a price, which the naive exchange does not know.
pub(crate) fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    steps_of(kind(), most)
}

/// Everything that an account may do.
pub(crate) fn any_steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let wish = prop_oneof![4 => wish(kind_or_stop()).boxed(), 4 => instructed_wish().boxed(), 2 => list_wish().boxed(), 1 => change_wish().boxed()];
    steps_from(wish, most)
}

/// Lists of orders whose prices are somewhere round the last one.
fn list_wish() -> impl Strategy<Value = Wish> {
    let side = || prop_oneof![Just(Side::Buy), Just(Side::Sell)];
    let order = |side, kind| NewOrder::new(SYMBOL, side, kind);
    let legs = || {
        (side(), quantity(), price(), price(), proptest::option::of(price()), any::<bool>()).prop_map(
            move |(side, quantity, far, near, limit, waits)| {
                let goal = StopGoal::Profit;
                let profit = if waits {
                    OrderKind::Stop { goal, stop_price: far, quantity, limit: None }
                } else {
                    OrderKind::LimitMaker { quantity, price: far }
                };
                let limit = limit.map(|price| LimitTerms { time_in_force: TimeInForce::Gtc, price });
                let loss = OrderKind::Stop { goal: StopGoal::Loss, stop_price: near, quantity, limit };
                let (profit, loss) = (order(side, profit), order(side, loss));
                match side {
                    Side::Sell => OcoLegs { above: profit, below: loss },
                    Side::Buy => OcoLegs { above: loss, below: profit },
                }
            },
        )
    };
    let working = (side(), quantity(), price()).prop_map(move |(side, quantity, price)| {
        order(side, OrderKind::Limit { time_in_force: TimeInForce::Gtc, quantity, price })
    });
    let pending = prop_oneof![
        (side(), kind_or_stop()).prop_map(move |(side, kind)| PendingLegs::One(order(side, kind))).boxed(),
        legs().prop_map(PendingLegs::Oco).boxed(),
    ];
    let oto = (working, pending, any::<bool>()).prop_map(|(working, pending, pays_other)| ListLegs::Oto {
        working,
        pending,
        pays_other,
    });
    let client = proptest::option::weighted(0.3, "[abc]".prop_map(|s| s.parse::<ClientOrderId>().unwrap()));
    (prop_oneof![legs().prop_map(ListLegs::Oco).boxed(), oto.boxed()], client).prop_map(|(legs, client_id)| {
        Wish::Command(Command::PlaceList(Box::new(NewOrderList { symbol: SYMBOL, client_id, legs })))
    })
}

/// Amending, replacing, and cancelling lists.
fn change_wish() -> impl Strategy<Value = Wish> {
    let new = (prop_oneof![Just(Side::Buy), Just(Side::Sell)], kind_or_stop())
        .prop_map(|(side, kind)| NewOrder::new(SYMBOL, side, kind));
    prop_oneof![
        (0_u64..12, quantity()).prop_map(|(ago, quantity)| Wish::Amend { ago, quantity }),
        (0_u64..12, new, any::<bool>()).prop_map(|(ago, order, stop_on_failure)| Wish::Replace {
            ago,
            order,
            stop_on_failure
        }),
        (0_u32..12).prop_map(|id| {
            let target = ListRef::Id(ListId(id));
            Wish::Command(Command::CancelList(CancelList { symbol: SYMBOL, target, cancel_id: None }))
        }),
    ]
}

fn steps_of(kind: impl Strategy<Value = OrderKind>, most: usize) -> impl Strategy<Value = Vec<Step>> {
    steps_from(wish(kind), most)
}

fn steps_from(wish: impl Strategy<Value = Wish>, most: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        1 => (0_u64..3_000).prop_map(|millis| Step::Tick { millis }),
        8 => ((1_u32..4).prop_map(AccountId), wish).prop_map(|(account, command)| Step::Command { account, command }),
    ];
    proptest::collection::vec(step, 1..most)
}

/// When histories begin.
pub(crate) const BEGINNING: Timestamp = Timestamp::from_secs(1_700_000_000);

/// What each of the three accounts begins with.
pub(crate) const START: [(AssetId, i64); ASSETS] = [(BASE, 2_000_000_000), (QUOTE, 3_000_000_000)];

pub(crate) struct Driver {
    pub(crate) exchange: Exchange,
    pub(crate) now: Timestamp,
    pub(crate) events: Vec<Event>,
    /// What came in less what went out.
    pub(crate) outside: [i128; ASSETS],
}

impl Driver {
    pub(crate) fn new() -> Self {
        Self::with(None)
    }

    /// A driver whose accounts pay commissions in the base asset, which has a price once something has traded.
    pub(crate) fn discounted() -> Self {
        Self::with(Some(Discount { asset: BASE, rate: Ratio::from_units(75_000_000), reading: DiscountReading::Paid }))
    }

    fn with(discount: Option<Discount>) -> Self {
        let spec = ExchangeSpec {
            assets: vec!["BTC".to_owned(), "USDT".to_owned()],
            symbols: vec![SymbolSpec {
                name: "BTCUSDT".to_owned(),
                base: BASE,
                quote: QUOTE,
                quote_order_qty_market_allowed: true,
                commissions: commissions(),
                ..SymbolSpec::default()
            }],
            // Counted, but never used up.
            limits: LimitsSpec { orders: vec![WindowLimit { window_secs: 10, limit: 1_000 }], ..LimitsSpec::default() },
            discount,
            ..ExchangeSpec::default()
        };
        let exchange = Exchange::new(spec).unwrap();
        let mut driver = Self { exchange, now: BEGINNING, events: Vec::new(), outside: [0; ASSETS] };
        for _ in 0..3 {
            let now = driver.now;
            let exchange = &mut driver.exchange;
            let opened = if discount.is_some() { exchange.open_discounted(now) } else { exchange.open_account(now) };
            let account = opened.unwrap();
            for (asset, units) in START {
                let command = Command::Deposit { asset, amount: Amount::from_units(units) };
                driver.step(&Step::Command { account, command: Wish::Command(command) }).unwrap();
            }
        }
        driver
    }

    pub(crate) fn last_order(&self) -> OrderId {
        OrderId(self.exchange.order_count())
    }

    /// The command that a wish means now.
    pub(crate) fn resolve(&self, wish: &Wish) -> Command {
        let target = |ago: &u64| OrderRef::Id(OrderId(self.exchange.order_count().saturating_sub(*ago)));
        match wish {
            Wish::Amend { ago, quantity } => {
                let (target, quantity) = (target(ago), *quantity);
                Command::Amend(AmendOrder { symbol: SYMBOL, target, quantity, client_order_id: None })
            }
            Wish::Replace { ago, order, stop_on_failure } => {
                let target = target(ago);
                let cancel = CancelOrder { symbol: SYMBOL, target, cancel_id: None, restriction: None };
                let (order, stop_on_failure) = (*order, *stop_on_failure);
                let request = CancelReplace { cancel, order, stop_on_failure, cancel_when_limited: false };
                Command::CancelReplace(Box::new(request))
            }
            Wish::Command(command) => command.clone(),
            Wish::Cancel { ago, restriction } => {
                let target = target(ago);
                Command::Cancel(CancelOrder { symbol: SYMBOL, target, cancel_id: None, restriction: *restriction })
            }
        }
    }

    pub(crate) fn step(&mut self, step: &Step) -> Result<Reply, Rejection> {
        let (account, command) = match step {
            Step::Tick { millis } => {
                self.now = self.now.plus_millis(*millis);
                self.events.extend(self.exchange.on_time(self.now));
                return Err(Rejection::UnknownOrder);
            }
            Step::Command { account, command } => (*account, self.resolve(command)),
        };
        let reply = self.exchange.apply_into(self.now, account, &command, &mut self.events);
        if reply.is_ok() {
            match command {
                Command::Deposit { asset, amount } => {
                    self.outside[usize::from(asset.0)] += i128::from(amount.units());
                }
                Command::Withdraw { asset, amount } => {
                    self.outside[usize::from(asset.0)] -= i128::from(amount.units());
                }
                _ => {}
            }
        }
        reply
    }
}
