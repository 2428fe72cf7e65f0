//! The program: arguments, settings, logging, then the service.

use std::process::ExitCode;

fn main() -> ExitCode {
    kimai_sync::cli::main(std::env::args_os())
}
