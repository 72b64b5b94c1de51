//! Text tables: one operation a row, what it must come to after the `|`. The rows are explained in `README.md`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod lists;
mod spec;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use exchange_engine::{
    AccountId, CancelOrder, CancelRestriction, ClientOrderId, Command, Event, Exchange, ExchangeSpec, ExecutionKind,
    Instructions, LimitTerms, LimitsSpec, MarketSize, NewOrder, Order, OrderId, OrderKind, OrderRef, Page,
    PreventionMode, Rejection, Reply, Side, StopGoal, SymbolId, SymbolSpec, SymbolStatus, TimeInForce, Timestamp,
};

/// A table as it is carried out.
struct World {
    spec: ExchangeSpec,
    exchange: Option<Exchange>,
    now: Timestamp,
    symbol: SymbolId,
    accounts: BTreeMap<String, AccountId>,
    labels: BTreeMap<String, OrderId>,
    events: Vec<Event>,
}

/// A row that cannot be carried out: the table itself is wrong.
type Row<T> = Result<T, String>;

fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Row<T> {
    text.parse().map_err(|error| format!("`{text}`: {error}"))
}

/// A decimal without the zeros at its end.
fn short(decimal: impl std::fmt::Display) -> String {
    let text = decimal.to_string();
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn secs(text: &str) -> Row<Timestamp> {
    let micros = match (text.strip_suffix("ms"), text.strip_suffix("us"), text.strip_suffix('s')) {
        (Some(millis), _, _) => parse::<u64>(millis)? * 1_000,
        (_, Some(micros), _) => parse(micros)?,
        (_, _, Some(secs)) => parse::<u64>(secs)? * 1_000_000,
        _ => return Err(format!("`{text}`: write 3s, 3ms or 3us")),
    };
    Ok(Timestamp::from_micros(micros))
}

impl World {
    fn new() -> Self {
        let symbol = |name: &str, base, quote| SymbolSpec {
            name: name.to_owned(),
            base: exchange_engine::AssetId(base),
            quote: exchange_engine::AssetId(quote),
            quote_order_qty_market_allowed: true,
            ..SymbolSpec::default()
        };
        let spec = ExchangeSpec {
            assets: ["BTC", "USDT", "ETH"].map(str::to_owned).to_vec(),
            symbols: vec![symbol("BTCUSDT", 0, 1), symbol("ETHUSDT", 2, 1), symbol("ETHBTC", 2, 0)],
            limits: LimitsSpec { orders: Vec::new(), ..LimitsSpec::default() },
            ..ExchangeSpec::default()
        };
        let accounts = BTreeMap::from([("fees".to_owned(), AccountId::FEES)]);
        Self {
            spec,
            exchange: None,
            now: Timestamp::EPOCH,
            symbol: SymbolId(0),
            accounts,
            labels: BTreeMap::new(),
            events: Vec::new(),
        }
    }

    fn exchange(&mut self) -> &mut Exchange {
        let spec = &self.spec;
        self.exchange.get_or_insert_with(|| Exchange::new(spec.clone()).unwrap())
    }

    fn account(&self, name: &str) -> Row<AccountId> {
        if name == "nobody" {
            return Ok(AccountId(99));
        }
        self.accounts.get(name).copied().ok_or_else(|| format!("no account `{name}`: `open {name}` first"))
    }

    fn label(&self, id: OrderId) -> String {
        let found = self.labels.iter().find(|(_, order)| **order == id);
        found.map_or_else(|| format!("#{id}"), |(label, _)| label.clone())
    }

    /// Carries out one row and says what it came to.
    fn row(&mut self, words: &[&str]) -> Row<String> {
        match words {
            ["spec", rest @ ..] => self.specify(rest),
            ["symbol", name] => {
                self.symbol = self.spec.symbol_id(name).ok_or(format!("no symbol `{name}`"))?;
                Ok("ok".to_owned())
            }
            ["open", names @ ..] => {
                for name in names {
                    let now = self.now;
                    let account = self.exchange().open_account(now).map_err(|e| e.to_string())?;
                    self.accounts.insert((*name).to_owned(), account);
                }
                Ok("ok".to_owned())
            }
            ["tick", by] => {
                self.now = self.now.plus_micros(secs(by)?.as_micros());
                let now = self.now;
                let events = self.exchange().on_time(now);
                Ok(self.tell(&events))
            }
            ["later", by] => {
                self.now = self.now.plus_micros(secs(by)?.as_micros());
                Ok("ok".to_owned())
            }
            ["status", name, until @ ..] => self.set_status(name, until),
            ["deadline"] => Ok(self.exchange().next_deadline().map_or("none".to_owned(), |at| short(at) + "s")),
            ["bids"] => Ok(self.levels(Side::Buy)),
            ["asks"] => Ok(self.levels(Side::Sell)),
            ["last"] => {
                let symbol = self.symbol;
                Ok(self.exchange().last_price(symbol).map_or("none".to_owned(), short))
            }
            ["average", mins] => {
                let (symbol, mins, now) = (self.symbol, parse(mins)?, self.now);
                Ok(self.exchange().average_price(symbol, mins, now).map_or("none".to_owned(), short))
            }
            ["trades"] => {
                let symbol = self.symbol;
                let trades = self.exchange().trades(symbol, Page::newest(100));
                let told = trades.iter().map(|t| {
                    let maker = if t.is_buyer_maker { "buyer" } else { "seller" };
                    format!("{}:{}@{}={}({maker})", t.id, short(t.quantity), short(t.price), short(t.quote))
                });
                Ok(list(told))
            }
            ["events"] => {
                let events = std::mem::take(&mut self.events);
                Ok(self.tell(&events))
            }
            [account, rest @ ..] => {
                let account = self.account(account)?;
                self.act(account, rest)
            }
            [] => Err("an empty row".to_owned()),
        }
    }

    fn set_status(&mut self, name: &str, until: &[&str]) -> Row<String> {
        use SymbolStatus::{Break, CancelOnly, EndOfDay, Halt, Trading};
        let all = [Trading, EndOfDay, Halt, Break, CancelOnly];
        let status = all.into_iter().find(|s| s.as_str() == name).ok_or(format!("no status `{name}`"))?;
        let until = match until {
            [] => None,
            ["until", at] => Some(secs(at)?),
            _ => return Err("write `status HALT until 20s`".to_owned()),
        };
        let (now, symbol) = (self.now, self.symbol);
        let events = self.exchange().set_status(now, symbol, status, until);
        events.map(|events| self.tell(&events)).or_else(|cause| Ok(refused(cause)))
    }

    fn levels(&mut self, side: Side) -> String {
        let symbol = self.symbol;
        let depth = self.exchange().depth(symbol, 100).unwrap();
        let levels = if side == Side::Buy { depth.bids } else { depth.asks };
        list(levels.iter().map(|level| format!("{}@{}", short(level.quantity), short(level.price))))
    }

    /// What an account does or asks.
    fn act(&mut self, account: AccountId, words: &[&str]) -> Row<String> {
        let (now, symbol) = (self.now, self.symbol);
        match words {
            ["deposit" | "withdraw", asset, amount] => {
                let asset = self.spec.asset_id(asset).unwrap_or(exchange_engine::AssetId(99));
                let amount = parse(amount)?;
                let deposit = words.first() == Some(&"deposit");
                self.apply(
                    account,
                    &if deposit { Command::Deposit { asset, amount } } else { Command::Withdraw { asset, amount } },
                )
            }
            ["balance", asset] => {
                let asset = self.spec.asset_id(asset).ok_or(format!("no asset `{asset}`"))?;
                let balance = self.exchange().balance(account, asset).ok_or("no such account")?;
                Ok(format!("{} + {}", short(balance.free), short(balance.locked)))
            }
            ["counts"] => {
                let counts = self.exchange().order_counts(account, now);
                Ok(list(counts.iter().map(|(_, used)| used.to_string())))
            }
            ["open-orders"] => {
                let open = self.exchange().open_orders(account, None);
                Ok(list(open.iter().map(|order| self.label(order.id))))
            }
            ["all-orders", limit] => {
                let orders = self.exchange().orders(account, symbol, Page::newest(parse(limit)?));
                Ok(list(orders.iter().map(|order| self.label(order.id))))
            }
            ["fills"] => {
                let fills = self.exchange().fills(account, symbol, None, Page::newest(100));
                Ok(list(fills.iter().map(|f| {
                    let side = if f.is_buyer { "bought" } else { "sold" };
                    let role = if f.is_maker { "maker" } else { "taker" };
                    let asset = self.spec.asset(f.commission_asset).unwrap_or("?");
                    format!("{side}:{}@{}:{role}:{}{asset}", short(f.quantity), short(f.price), short(f.commission))
                })))
            }
            ["order", target @ ..] => {
                let target = self.target(target)?;
                let found = self.exchange().order(account, symbol, target);
                Ok(found.map_or_else(refused, |order| describe(&order)))
            }
            ["oco" | "oto" | "otoco" | "opo" | "opoco", ..] => self.place_list(account, words),
            ["cancel-list", rest @ ..] => self.cancel_list(account, rest),
            ["list", rest @ ..] => self.tell_list(account, rest),
            ["open-lists"] => {
                let open = self.exchange().open_lists(account);
                Ok(list(open.iter().map(|list| list.id.to_string())))
            }
            ["amend", rest @ ..] => self.amend(account, rest),
            ["amendments", label] => self.amendments(account, label),
            ["replace", rest @ ..] => self.replace(account, rest),
            ["pays", price] => {
                let (price, quantity) = (parse(price)?, parse("0.0001")?);
                let time_in_force = TimeInForce::Gtc;
                for side in [Side::Sell, Side::Buy] {
                    let kind = OrderKind::Limit { time_in_force, quantity, price };
                    self.apply(account, &Command::Place(NewOrder::new(symbol, side, kind)))?;
                }
                Ok("ok".to_owned())
            }
            ["trailing", label] => {
                let target = self.target(&[label])?;
                let order = self.exchange().order(account, symbol, target).map_err(|cause| cause.to_string())?;
                let since = order.trailing_time.map_or("never".to_owned(), short);
                Ok(format!("{} from {since}", order.trailing_delta.unwrap_or_default()))
            }
            ["cancel-all"] => self.apply(account, &Command::CancelAll { symbol }),
            ["cancel", rest @ ..] => self.cancel(account, rest),
            ["test", side @ ("buy" | "sell"), rest @ ..] => {
                let order = self.order(side, rest)?;
                Ok(self.exchange().check(now, account, &order).map_or_else(refused, |()| "ok".to_owned()))
            }
            [side @ ("buy" | "sell"), label, rest @ ..] => {
                let order = self.order(side, rest)?;
                let next = OrderId(self.exchange().order_count() + 1);
                let told = self.apply(account, &Command::Place(order))?;
                if !told.starts_with("refused") {
                    self.labels.insert((*label).to_owned(), next);
                }
                Ok(told)
            }
            _ => Err(format!("no such operation: {words:?}")),
        }
    }

    /// `limit 2 @ 10 [GTC|IOC|FOK]`, `maker 2 @ 10`, `market 2`, `market-quote 20`, `stop-loss 2 at 9 [@ 8 [IOC|FOK]]`,
    /// each with `[client=name]`.
    fn order(&self, side: &str, words: &[&str]) -> Row<NewOrder> {
        let (client, words) = match words {
            [rest @ .., last] if last.starts_with("client=") => (last.strip_prefix("client="), rest),
            words => (None, words),
        };
        let (instructions, words) = instructions(words)?;
        let limit = |quantity: &str, price: &str, time_in_force| -> Row<OrderKind> {
            Ok(OrderKind::Limit { time_in_force, quantity: parse(quantity)?, price: parse(price)? })
        };
        let kind = match words {
            ["limit", quantity, "@", price] | ["limit", quantity, "@", price, "GTC"] => {
                limit(quantity, price, TimeInForce::Gtc)?
            }
            ["limit", quantity, "@", price, "IOC"] => limit(quantity, price, TimeInForce::Ioc)?,
            ["limit", quantity, "@", price, "FOK"] => limit(quantity, price, TimeInForce::Fok)?,
            ["maker", quantity, "@", price] => {
                OrderKind::LimitMaker { quantity: parse(quantity)?, price: parse(price)? }
            }
            ["market", quantity] => OrderKind::Market { size: MarketSize::Base(parse(quantity)?) },
            ["market-quote", amount] => OrderKind::Market { size: MarketSize::Quote(parse(amount)?) },
            [goal @ ("stop-loss" | "take-profit"), quantity, "at", stop_price, limit @ ..] => {
                let terms = |price: &str, time_in_force| -> Row<Option<LimitTerms>> {
                    Ok(Some(LimitTerms { time_in_force, price: parse(price)? }))
                };
                OrderKind::Stop {
                    goal: if *goal == "stop-loss" { StopGoal::Loss } else { StopGoal::Profit },
                    stop_price: parse(stop_price)?,
                    quantity: parse(quantity)?,
                    limit: match limit {
                        [] => None,
                        ["@", price] => terms(price, TimeInForce::Gtc)?,
                        ["@", price, "IOC"] => terms(price, TimeInForce::Ioc)?,
                        ["@", price, "FOK"] => terms(price, TimeInForce::Fok)?,
                        _ => return Err(format!("no such limit: {limit:?}")),
                    },
                }
            }
            _ => return Err(format!("no such order: {words:?}")),
        };
        Ok(NewOrder {
            symbol: self.symbol,
            side: if side == "buy" { Side::Buy } else { Side::Sell },
            kind,
            client_order_id: client.map(parse).transpose()?,
            instructions,
        })
    }

    fn target(&self, words: &[&str]) -> Row<OrderRef> {
        let id = |label: &str| match label.strip_prefix('#') {
            Some(number) => parse(number).map(OrderId),
            None => self.labels.get(label).copied().ok_or(format!("no order `{label}`")),
        };
        // `generated:a` is the id that the exchange gave to the order labelled `a`.
        let client = |name: &str| match name.strip_prefix("generated:") {
            Some(label) => id(label).map(ClientOrderId::for_order),
            None => parse(name),
        };
        match words {
            [one] => match one.strip_prefix("client=") {
                Some(name) => Ok(OrderRef::Client(client(name)?)),
                None => Ok(OrderRef::Id(id(one)?)),
            },
            [label, name] => {
                let name = name.strip_prefix("client=").ok_or(format!("`{name}`: write client=name"))?;
                Ok(OrderRef::Both(id(label)?, client(name)?))
            }
            _ => Err(format!("no such order: {words:?}")),
        }
    }

    /// `cancel a [client=name] [as=cancel-name] [only-new|only-partially-filled]`
    fn cancel(&mut self, account: AccountId, words: &[&str]) -> Row<String> {
        let (restriction, words) = match words {
            [rest @ .., "only-new"] => (Some(CancelRestriction::OnlyNew), rest),
            [rest @ .., "only-partially-filled"] => (Some(CancelRestriction::OnlyPartiallyFilled), rest),
            words => (None, words),
        };
        let (cancel_id, words) = match words {
            [rest @ .., last] if last.starts_with("as=") => (last.strip_prefix("as="), rest),
            words => (None, words),
        };
        let request = CancelOrder {
            symbol: self.symbol,
            target: self.target(words)?,
            cancel_id: cancel_id.map(parse).transpose()?,
            restriction,
        };
        self.apply(account, &Command::Cancel(request))
    }

    fn apply(&mut self, account: AccountId, command: &Command) -> Row<String> {
        let now = self.now;
        let before = self.exchange().clone();
        let outcome = self.exchange().apply(now, account, command);
        if let Err(cause) = outcome.reply {
            // A refusal leaves no trace but a line in the journal.
            let after = self.exchange();
            let same = format!("{:?}", after.balances(account)) == format!("{:?}", before.balances(account))
                && after.order_count() == before.order_count()
                && after.depth(SymbolId(0), 10) == before.depth(SymbolId(0), 10)
                && after.journal().len() == before.journal().len() + 1;
            if !same {
                return Err(format!("refused ({cause}), but something changed"));
            }
        }
        self.events = outcome.events;
        Ok(match outcome.reply {
            Ok(Reply::Placed(placed)) => describe(&placed.order),
            Ok(Reply::Canceled(canceled)) => self.describe_canceled(&canceled),
            Ok(Reply::ListPlaced { list, orders }) => {
                let each: Vec<String> = orders.iter().map(|placed| describe(&placed.order)).collect();
                format!("{}:{:?}:{}: {}", list.id, list.kind, list.order_status(), each.join(", "))
            }
            Ok(Reply::Replaced(replaced)) => self.describe_replaced(&replaced),
            Ok(Reply::Amended(amended)) => describe(&amended.order),
            Ok(Reply::CanceledAll(all)) => list(all.iter().map(|canceled| self.label(canceled.order.id))),
            Ok(Reply::Balance(balance)) => format!("{} + {}", short(balance.free), short(balance.locked)),
            Err(cause) => refused(cause),
        })
    }

    fn tell(&self, events: &[Event]) -> String {
        let side = |level: Option<exchange_engine::BookLevel>| {
            level.map_or("-".to_owned(), |l| format!("{}@{}", short(l.quantity), short(l.price)))
        };
        let name = |account: &AccountId| {
            let found = self.accounts.iter().find(|(_, id)| *id == account);
            found.map_or("?".to_owned(), |(name, _)| name.clone())
        };
        list(events.iter().map(|event| match event {
            Event::Execution(e) => {
                let kind = match e.kind {
                    ExecutionKind::New => "new".to_owned(),
                    ExecutionKind::Trade(fill) => {
                        format!("{}{}", if fill.is_maker { "made" } else { "took" }, short(fill.quantity))
                    }
                    ExecutionKind::Canceled(_) => "canceled".to_owned(),
                    ExecutionKind::Replaced(_) => "replaced".to_owned(),
                    ExecutionKind::Prevented(prevented) => format!("prevented{}", short(prevented.quantity)),
                    ExecutionKind::Expired => "expired".to_owned(),
                };
                let (who, order) = (name(&e.order.account), e.order);
                format!("{who}:{}:{kind}:{}:{}", e.execution_id, order.status.as_str(), short(order.executed))
            }
            Event::List(update) => {
                let step = if update.is_renamed { "UPDATED" } else { update.list.status_type() };
                format!("{}:list{}:{step}", name(&update.list.account), update.list.id)
            }
            Event::Balances { account, changes, .. } => {
                let parts = changes.iter().map(|b| {
                    let asset = self.spec.asset(b.asset).unwrap_or("?");
                    format!("{asset}={}+{}", short(b.free), short(b.locked))
                });
                format!("{}:{}", name(account), parts.collect::<Vec<_>>().join(","))
            }
            Event::Transfer { account, asset, delta, .. } => {
                format!("{}:{}{}", name(account), short(*delta), self.spec.asset(*asset).unwrap_or("?"))
            }
            Event::Trade(trade) => format!("trade:{}@{}", short(trade.quantity), short(trade.price)),
            Event::BookTop(top) => format!("top:{}/{}", side(top.bid), side(top.ask)),
            Event::Status { status, .. } => format!("status:{}", status.as_str()),
        }))
    }
}

/// `[stp=MODE] [iceberg=Q] [trailing=BIPS]`, in any order, at the end of an order.
fn instructions<'a, 'b>(mut words: &'a [&'b str]) -> Row<(Instructions, &'a [&'b str])> {
    let mut instructions = Instructions::default();
    while let [rest @ .., last] = words {
        if let Some(mode) = last.strip_prefix("stp=") {
            let found = PreventionMode::ALL.into_iter().find(|known| known.as_str() == mode);
            instructions.prevention = Some(found.ok_or(format!("no mode `{mode}`"))?);
        } else if let Some(quantity) = last.strip_prefix("iceberg=") {
            instructions.iceberg = Some(parse(quantity)?);
        } else if let Some(delta) = last.strip_prefix("trailing=") {
            instructions.trailing_delta = Some(parse(delta)?);
        } else {
            break;
        }
        words = rest;
    }
    Ok((instructions, words))
}

fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    if items.is_empty() { "none".to_owned() } else { items.join(" ") }
}

fn refused(cause: Rejection) -> String {
    format!("refused: {cause}")
}

fn describe(order: &Order) -> String {
    let mut text = order.status.as_str().to_owned();
    let _ = write!(text, " {}/{}", short(order.executed), short(order.quantity));
    if order.executed.is_positive() {
        let _ = write!(text, " for {}", short(order.cumulative_quote));
    }
    if order.prevented.is_positive() {
        let _ = write!(text, " prevented {}", short(order.prevented));
    }
    if order.status.is_open() && !order.is_working() {
        text.push_str(" waits");
    }
    if let Some(reason) = order.expiry_reason {
        let _ = write!(text, " {}", reason.as_str());
    }
    text
}

/// Carries out a table; one line for each row that came to something else.
fn run(name: &str, text: &str) -> Vec<String> {
    let mut world = World::new();
    let mut failures = Vec::new();
    let mut rows = 0;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default();
        // `#` starts a comment, except in an order's number such as `#7`, which a table writes as `order/7`.
        let line = line.replace("order/", "#");
        if line.trim().is_empty() {
            continue;
        }
        let (operation, expected) = line.split_once('|').map_or((line.as_str(), "ok"), |(o, e)| (o, e.trim()));
        let words: Vec<&str> = operation.split_whitespace().collect();
        rows += 1;
        let got = world.row(&words).unwrap_or_else(|error| format!("broken row: {error}"));
        let unasked = !line.contains('|') && !got.starts_with("refused") && !got.starts_with("broken");
        if got != expected && !unasked {
            failures.push(format!("{name}:{number}: {}\n  expected: {expected}\n  got:      {got}", operation.trim()));
        }
    }
    if rows == 0 {
        failures.push(format!("{name}: an empty table"));
    }
    if let Some(exchange) = &world.exchange {
        let replayed = Exchange::replay(world.spec.clone(), exchange.journal());
        if replayed.as_ref() != Ok(exchange) {
            failures.push(format!("{name}: replaying the journal does not rebuild the exchange"));
        }
        // All that came in is somewhere.
        for asset in world.spec.asset_ids() {
            let all = (0..exchange.account_count()).map(|id| AccountId(u32::try_from(id).unwrap()));
            let held: i128 = all
                .filter_map(|id| exchange.balance(id, asset))
                .map(|b| i128::from(b.free.units()) + i128::from(b.locked.units()))
                .sum();
            if held != outside(exchange, asset) {
                failures.push(format!("{name}: {} is not conserved", world.spec.asset(asset).unwrap_or("?")));
            }
        }
    }
    failures
}

/// What came in less what went out, by the journal.
fn outside(exchange: &Exchange, wanted: exchange_engine::AssetId) -> i128 {
    let moved = exchange.journal().iter().map(|entry| match entry.fact {
        exchange_engine::Fact::Deposited { asset, amount, .. } if asset == wanted => amount.units().into(),
        exchange_engine::Fact::Withdrawn { asset, amount, .. } if asset == wanted => -i128::from(amount.units()),
        _ => 0,
    });
    moved.sum()
}

#[test]
fn every_table_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tables");
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    assert!(!files.is_empty(), "no tables in tests/tables");
    let failures: Vec<String> = files
        .iter()
        .flat_map(|path| {
            let name = format!("tests/tables/{}", path.file_name().unwrap().to_string_lossy());
            run(&name, &std::fs::read_to_string(path).unwrap())
        })
        .collect();
    assert!(failures.is_empty(), "{} rows failed:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn a_wrong_table_is_told_with_its_line() {
    let told = run("t.txt", "open alice\nalice deposit USDT 5 | 6 + 0\nalice buys | ok\n");
    assert_eq!(told.len(), 2);
    assert_eq!(told[0], "t.txt:2: alice deposit USDT 5\n  expected: 6 + 0\n  got:      5 + 0");
    assert!(told[1].starts_with("t.txt:3: alice buys\n"), "{}", told[1]);
    assert_eq!(run("t.txt", "# nothing\n"), ["t.txt: an empty table"]);
}

#[test]
fn a_row_without_expectation_must_still_go_through() {
    let told = run("t.txt", "open alice\nalice withdraw USDT 5\n");
    assert_eq!(told.len(), 1);
}
