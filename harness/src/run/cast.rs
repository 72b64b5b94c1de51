//! The agents of a script with their connections to one stack.

use std::collections::BTreeMap;

use crate::agent::client::{Agent, settle};
use crate::agent::transcript::Transcript;
use crate::scenario::{self, FIRST_AGENT, FIRST_GRANT};
use crate::target::{Caller, Deed, Stack};

/// Everybody who is connected.
pub(crate) struct Cast {
    pub(crate) stack: Stack,
    transcript: Transcript,
    /// By name, and whether it is connected.
    agents: BTreeMap<String, Player>,
    /// The gateway was stopped and did not come up again.
    down: bool,
}

struct Player {
    grant: String,
    /// How often it has connected.
    connections: u32,
    agent: Option<Agent>,
}

impl Cast {
    /// Connects the first agent, and then the others in the order of their names.
    pub(crate) async fn connect(
        stack: Stack,
        transcript: Transcript,
        others: &BTreeMap<String, scenario::Agent>,
    ) -> Result<Self, String> {
        let others = others.iter().map(|(name, agent)| (name.clone(), agent.grant.value.clone()));
        let all = [(FIRST_AGENT.to_owned(), FIRST_GRANT.to_owned())].into_iter().chain(others);
        let agents = all.map(|(name, grant)| (name, Player { grant, connections: 0, agent: None })).collect();
        let mut cast = Self { stack, transcript, agents, down: false };
        cast.connect_all().await?;
        Ok(cast)
    }

    async fn connect_all(&mut self) -> Result<(), String> {
        let mut names: Vec<String> = self.agents.keys().cloned().collect();
        names.sort_by_key(|name| name != FIRST_AGENT);
        for name in names {
            self.connect_one(&name).await?;
        }
        Ok(())
    }

    async fn connect_one(&mut self, name: &str) -> Result<(), String> {
        let Some(player) = self.agents.get_mut(name) else { return Err(format!("there is no agent `{name}`")) };
        player.connections += 1;
        let called = called(name, player.connections);
        let caller = Caller { name: called.as_deref(), grant: &player.grant };
        let front = self.stack.connect(caller).map_err(|error| error.to_string())?;
        // Whose frames these are; what the gateway calls the session is the target's business.
        let transcript = match &called {
            Some(called) => self.transcript.by(called),
            None => self.transcript.clone(),
        };
        let connected = Agent::connect(transcript, front, self.stack.behind_gateway).await;
        player.agent = Some(connected.map_err(|error| error.to_string())?);
        Ok(())
    }

    /// The agent of this name, or the first one.
    pub(crate) fn agent(&self, by: Option<&str>) -> Result<&Agent, String> {
        let name = by.unwrap_or(FIRST_AGENT);
        let agent = self.agents.get(name).and_then(|player| player.agent.as_ref());
        agent.ok_or_else(|| format!("there is no agent `{name}`"))
    }

    /// An agent hangs up and connects anew.
    pub(crate) async fn reconnect(&mut self, by: Option<&str>) -> Result<(), String> {
        let name = by.unwrap_or(FIRST_AGENT);
        self.hang_up(name).await?;
        settle().await;
        self.connect_one(name).await
    }

    async fn hang_up(&mut self, name: &str) -> Result<(), String> {
        let agent = self.agents.get_mut(name).and_then(|player| player.agent.take());
        match agent {
            Some(agent) => agent.close().await.map_err(|error| error.to_string()),
            None => Ok(()),
        }
    }

    /// The gateway's people do something.
    pub(crate) async fn operate(&mut self, deed: Deed<'_>) -> Result<String, String> {
        let restarts = matches!(deed, Deed::Restart | Deed::RestartRefused);
        if !restarts || !self.stack.behind_gateway {
            return self.stack.door.operate(deed);
        }
        self.close().await?;
        self.stack.ended().await?;
        let done = self.stack.door.operate(deed);
        // One that came up although it must not is there for everybody.
        let refused = matches!(deed, Deed::RestartRefused);
        self.down = refused && done.is_ok();
        if refused != done.is_ok() {
            self.connect_all().await?;
        }
        done
    }

    /// Whether there is no gateway to connect to.
    pub(crate) fn is_down(&self) -> bool {
        self.down
    }

    /// Everybody hangs up, in the order of their names. What the stack then still does is waited for elsewhere.
    pub(crate) async fn close(&mut self) -> Result<(), String> {
        let names: Vec<String> = self.agents.keys().cloned().collect();
        let mut closed = Ok(());
        for name in names {
            closed = closed.and(self.hang_up(&name).await);
        }
        closed
    }
}

/// What a connection is called on tapes and in transcripts.
fn called(name: &str, connection: u32) -> Option<String> {
    match (name, connection) {
        (FIRST_AGENT, 1) => None,
        (name, 1) => Some(name.to_owned()),
        (name, later) => Some(format!("{name}#{later}")),
    }
}
