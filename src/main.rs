//! The program `pressrun`.

use std::process::ExitCode;

fn main() -> ExitCode {
    pressrun::cli::run()
}
