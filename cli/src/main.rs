//! The `larder` binary: parses, runs one command, ends with its exit code.
//!
//! Data goes to standard output, everything else to standard error. Exit codes: 0 done, 1 failed, 2 wrong usage.

mod admin;
mod args;
mod cmd;
mod config;
mod demo;
mod error;
mod http;
mod logging;
#[cfg(feature = "otel")]
mod otel;
mod output;
mod remote;
mod size;
mod trigger;

use std::process::ExitCode;

use args::Command;
use error::CliError;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let done = config::parse(std::env::args_os().collect()).and_then(|cli| run(cli.command));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if error.exit_code() != 0 {
                output::note(&format!("larder: {error}"));
            }
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(command: Command) -> Result<(), CliError> {
    match command {
        Command::Serve(args) => cmd::serve::run(&args),
        Command::Config(args) => cmd::config::run(&args),
        Command::Ready(args) => cmd::ready::run(&args),
        Command::Audit(args) => cmd::audit::run(&args),
        Command::Apply(args) => cmd::apply::run(&args),
        Command::Describe(args) => cmd::describe::run(&args),
        Command::Explain(args) => cmd::explain::run(&args),
        Command::Push(args) => cmd::push::run(&args),
        Command::Retract(args) => cmd::retract::run(&args),
        Command::Put(args) => cmd::put::run(&args),
        Command::Get(args) => cmd::get::run(&args),
        Command::Delete(args) => cmd::delete::run(&args),
        Command::Scan(args) => cmd::scan::run(&args),
        Command::Checkpoint(args) => cmd::checkpoint::run(&args),
        Command::Export(args) => cmd::export::run(&args),
        Command::Replay(args) => cmd::replay::run(&args),
        Command::Verify(args) => cmd::verify::run(&args),
        Command::Access(args) => cmd::access::run(&args),
        Command::Stats(args) => cmd::stats::run(&args),
        Command::Top(args) => cmd::top::run(&args),
        Command::Check(args) => cmd::check::run(&args),
        Command::Inspect(args) => cmd::inspect::run(&args),
        Command::Repair(args) => cmd::repair::run(&args),
        Command::Bench(args) => cmd::bench::run(&args),
        Command::BenchEcho => cmd::bench::echo(),
        Command::BenchOwned(args) => cmd::bench::owned(&args),
        Command::Demo(args) => demo::run(&args),
    }
}
