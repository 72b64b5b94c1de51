//! `rogue bridge`: what a gateway under test starts as its server. Not for people.

use std::net::SocketAddr;

use rogue_harness::run::runtime;
use rogue_harness::target;
use rogue_harness::verdict::ExitClass;

use crate::output::Failure;

pub(crate) fn bridge(address: SocketAddr) -> Result<ExitClass, Failure> {
    let runtime = runtime().map_err(|error| Failure::Broken(format!("the system gives no runtime: {error}")))?;
    let carried = runtime.block_on(target::bridge(address));
    // A read of standard input that still waits cannot be cancelled: leave it behind.
    runtime.shutdown_background();
    carried.map_err(|error| Failure::Broken(format!("the bridge to the MCP server broke: {error}")))?;
    Ok(ExitClass::Good)
}
