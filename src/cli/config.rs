//! `config show`: what the settings are, from the file and the environment together.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::config as settings;
use crate::diagnostic::{self, has_errors};
use crate::press;

use super::{Context, Done};

/// Show the settings
#[derive(Debug, Args)]
pub struct Config {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print all settings with their defaults, from the file and the environment together; secrets are masked
    Show,
}

/// Prints them; what is wrong with them is said beside.
pub fn run(config: &Config, context: &Context) -> Done<ExitCode> {
    let Command::Show = config.command;
    let (known, wrong, sources) = press::read_settings(context.root(), &context.environment)?;
    context.print(&settings::show(&known))?;
    if !wrong.is_empty() {
        context.say(&diagnostic::human(&wrong, &sources, false));
    }
    Ok(ExitCode::from(u8::from(has_errors(&wrong))))
}
