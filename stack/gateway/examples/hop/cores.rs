//! On which cores the measurement and all that it starts run.

use clap::ValueEnum;

use crate::Outcome;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Cores {
    /// Client, gateway and server take turns on one core
    One,
    /// As the system places them
    All,
}

impl Cores {
    /// Holds for the processes that this one starts as well.
    #[cfg(target_os = "linux")]
    pub fn keep(self) -> Outcome<()> {
        use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

        if self == Self::All {
            return Ok(());
        }
        let all = sched_getaffinity(None)?;
        let mut one = CpuSet::new();
        if let Some(core) = (0..CpuSet::MAX_CPU).rev().find(|core| all.is_set(*core)) {
            one.set(core);
        }
        Ok(sched_setaffinity(None, &one)?)
    }

    #[cfg(not(target_os = "linux"))]
    pub fn keep(self) -> Outcome<()> {
        Ok(())
    }
}
