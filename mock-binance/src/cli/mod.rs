//! Arguments in, a running mock and its description out.

mod arguments;
mod greeting;
mod run;

pub(crate) use arguments::Arguments;
pub(crate) use run::run;
