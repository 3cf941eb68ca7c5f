//! The project's chores: `cargo xtask setup|test|tidy|golden|evidence|mutants|lab|chaos`.

mod evidence;
mod golden;
mod lab;
mod mutants;
mod node;
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
    /// Install what building the console needs, build everything, and run `openframe up`
    Up {
        /// Options of `openframe up`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Install what the tests need, and say what and why
    Setup,
    /// Set up, then run every check and test
    Test(test::Choice),
    /// Compare the generated documents with the checked-in ones
    Golden {
        /// Write them instead
        #[arg(long)]
        write: bool,
    },
    /// Compare `ASVS.md` and `BLACK_BOX.md` with what comments above tests say
    #[command(alias = "asvs", group = clap::ArgGroup::new("what"))]
    Evidence {
        /// Write them instead
        #[arg(long, group = "what")]
        write: bool,
        /// Only compare, which is what happens by default
        #[arg(long, group = "what")]
        check: bool,
    },
    /// Turn one security check off at a time, and see that a test notices (`tests/mutants`)
    Mutants(mutants::Choice),
    /// Real clusters on this machine: up, down, status, kill NODE, start NODE
    Lab {
        /// What to do
        #[arg(required = true, allow_hyphen_values = true)]
        what: Vec<String>,
    },
    /// Kill, pause and cut off each process of the whole picture under load, and say what it cost
    Chaos {
        /// Only the cases with one of these in their names, such as `kill devices,etcd`
        #[arg(long, default_value = "")]
        only: String,
    },
    /// Check the structure: dependencies, sizes, absences
    Tidy,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().chore {
        Chore::Up { options } => up(&options),
        Chore::Setup => setup::setup(),
        Chore::Test(choice) => test::test(choice),
        Chore::Golden { write } => golden::golden(write),
        Chore::Evidence { write, check: _ } => evidence::evidence(write),
        Chore::Mutants(choice) => mutants::mutants(&choice),
        Chore::Lab { what } => lab::lab(&what),
        Chore::Chaos { only } => lab::chaos(&only),
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

/// The product, console included, on this machine.
fn up(options: &[String]) -> anyhow::Result<()> {
    setup::console()?;
    let own = ["run", "--release", "--", "up"];
    let args: Vec<&str> = own.into_iter().chain(options.iter().map(String::as_str)).collect();
    run::run("cargo", &args)
}
