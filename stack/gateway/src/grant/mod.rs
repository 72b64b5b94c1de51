//! Grants: which bearer token is whose.
//!
//! A grant is a name, under which the policy counts and the audit records, and a token that only its holder has. The
//! state folder keeps a digest of the token, so that whoever reads the file can use none of them. Changes made by another
//! process, such as `mcp-gateway grant revoke`, hold for the next request.

mod book;
mod token;

pub use book::{Grant, GrantBook, GrantError};
pub use token::Token;
