//! What is asked, and whether it was answered.

use std::fmt::Write as _;

use serde::Deserialize;

use crate::Outcome;

/// A kind of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// A price: few rules.
    Read,
    /// A LIMIT order: all rules that there are.
    Order,
    /// So many bytes there and back.
    Echo(usize),
}

impl Ask {
    /// The request with this id, and the end of its line. Orders buy and sell in turn, at prices that do not meet.
    pub fn frame(self, id: u64) -> String {
        let mut frame = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"#);
        let _ = match self {
            Self::Read => write!(frame, r#""bn_book_ticker","arguments":{{"symbol":"BTCUSDT"}}}}}}"#),
            Self::Order => {
                let (side, price) = if id.is_multiple_of(2) { ("BUY", "74000.00") } else { ("SELL", "76000.00") };
                // A counter is kept of every order that differs from the others, for as long as the policy says; these are a
                // thousand, so what grows beyond that is growth.
                let name = id % 1_000;
                write!(
                    frame,
                    r#""bn_new_order","arguments":{{"symbol":"BTCUSDT","side":"{side}","type":"LIMIT","timeInForce":"GTC","quantity":"0.00500","price":"{price}","newClientOrderId":"load-{name}"}}}}}}"#
                )
            }
            Self::Echo(bytes) => {
                write!(frame, r#""echo","arguments":{{"text":"{}"}}}}}}"#, "x".repeat(bytes))
            }
        };
        frame.push('\n');
        frame
    }
}

/// Whether a call went well, by the answer to the request with this id; an answer to another request is an error.
pub fn is_answer(answer: &[u8], id: u64) -> Outcome<bool> {
    let answer: Answer = serde_json::from_slice(answer)?;
    if answer.id != id {
        return Err(format!("request {id} was answered with that of {}", answer.id).into());
    }
    Ok(answer.result.is_some_and(|result| result.is_error != Some(true)))
}

/// As [`is_answer`], where every call goes well.
pub fn goes_well(answer: &[u8], id: u64) -> Outcome<()> {
    if is_answer(answer, id)? {
        return Ok(());
    }
    Err(format!("request {id} was answered with {}", String::from_utf8_lossy(answer)).into())
}

/// Which request it answers.
pub fn answered(answer: &[u8]) -> Outcome<u64> {
    Ok(serde_json::from_slice::<Answer>(answer)?.id)
}

#[derive(Deserialize)]
struct Answer {
    id: u64,
    result: Option<Told>,
}

#[derive(Deserialize)]
struct Told {
    #[serde(rename = "isError")]
    is_error: Option<bool>,
}
