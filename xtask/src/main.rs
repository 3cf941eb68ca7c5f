//! The project's chores: `cargo xtask setup`, `cargo xtask test`, `cargo xtask tidy`.

mod golden;
mod prometheus;
mod run;
mod say;
mod setup;
mod test;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's chores.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Install what the tests need, and say what and why
    Setup,
    /// Set up, then run every check and test
    Test {
        /// Go on after a failed step
        #[arg(long)]
        keep_going: bool,
    },
    /// Compare the generated documents with the checked-in ones
    Golden {
        /// Write them instead
        #[arg(long)]
        write: bool,
    },
    /// Check the structure: dependencies, sizes, absences
    Tidy,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().chore {
        Chore::Setup => setup::setup(),
        Chore::Test { keep_going } => test::test(keep_going),
        Chore::Golden { write } => golden::golden(write),
        Chore::Tidy => tidy::tidy(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::error(&format!("error: {error:#}"));
            // As for every other mistake of the caller: nothing was wrong with the product.
            if error.is::<setup::NeedsRoot>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}
