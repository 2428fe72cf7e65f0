//! The program: arguments, settings, logging, then the service.

use std::process::ExitCode;

use clap::Parser;
use kimai_sync::cli::{self, Arguments};

fn main() -> ExitCode {
    match cli::run(Arguments::parse()) {
        Ok(code) => code,
        Err(fault) => {
            eprintln!("kimai-sync: {fault:#}");
            ExitCode::from(2)
        }
    }
}
