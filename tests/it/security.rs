//! What an attacker would try, on the real thing: is a token told anywhere, is anything taken that should not
//! be, does anybody come in without the token?

mod bodies;
mod doors;
mod leaks;
mod statements;
mod watched;

use std::process::Command;

use crate::process::program;

/// The token of Kimai, with what base64 and percent-encoding would change.
const API_TOKEN: &str = "s3cret-kimai/api+token=0123?456";
/// The token of the service.
const OPS_TOKEN: &str = "s3cret-ops/token+of=us&0123;456";

/// The program with `API_TOKEN` for the Kimai at `endpoint`.
fn with_kimai(arguments: &[&str], endpoint: &str) -> Command {
    let mut command = program(arguments);
    command.envs([("API_TOKEN", API_TOKEN), ("KIMAI_ENDPOINT", endpoint), ("KIMAI_TIMEOUT", "2")]);
    command
}
