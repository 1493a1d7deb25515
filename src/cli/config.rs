//! `config show`: what the settings are, from the file and the environment together.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::clock;
use crate::config as settings;
use crate::diagnostic::{self, has_errors};
use crate::press::{self, Options};

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
    let options = Options { environment: context.environment.clone(), ..Options::default() };
    let edition = press::load(context.root(), &options, clock::now())?;
    context.print(&settings::show(&edition.settings))?;
    let of_settings = |file: &str| file == crate::files::SETTINGS_FILE || file.starts_with("PRESSRUN_");
    let wrong: Vec<_> = edition.diagnostics.iter().filter(|one| of_settings(&one.file)).cloned().collect();
    if !wrong.is_empty() {
        context.say(&diagnostic::human(&wrong, &edition.sources, false));
    }
    Ok(ExitCode::from(u8::from(has_errors(&wrong))))
}
