//! The `arrplan` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    arrplan::cli::main()
}
