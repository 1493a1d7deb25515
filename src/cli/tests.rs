use std::path::Path;

use clap::{Arg, Command, CommandFactory as _};

use super::CommandLine;

const PAGE: &str = "docs/reference/commands.md";

#[test]
#[expect(clippy::disallowed_methods, reason = "the test keeps a page of the project, not of a publication")]
fn the_reference_page_is_the_parser() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(&path, command_reference()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == command_reference(),
        "{PAGE} differs from the program: `UPDATE_REFERENCE=1 cargo test reference` writes it anew"
    );
}

#[test]
fn every_command_and_argument_says_what_it_is() {
    let page = command_reference();
    let bare: Vec<&str> = page.lines().filter(|line| line.starts_with("- ") && line.ends_with("`: ")).collect();
    assert!(bare.is_empty(), "without help: {}", bare.join(", "));
}

/// Every command with its help, arguments, options and defaults, as Markdown.
fn command_reference() -> String {
    let mut program = CommandLine::command();
    program.build();
    let mut page = format!(
        "# Commands\n\n{}.\n\nExit status: 0 done, 1 something you can fix, 2 the machine's or the program's fault. Data \
         goes to standard output, talk\nto standard error. This page is written from the program itself: \
         `UPDATE_REFERENCE=1 cargo test reference` writes it anew.\n\n## Options of every command\n\n",
        program.get_about().map(ToString::to_string).unwrap_or_default()
    );
    for option in program.get_opts().chain(switches(&program)).filter(|option| option.is_global_set()) {
        page.push_str(&line(option));
    }
    add_commands(&mut page, &program);
    page
}

fn add_commands(page: &mut String, above: &Command) {
    for command in above.get_subcommands().filter(|command| command.get_name() != "help") {
        add_command(page, command);
        add_commands(page, command);
    }
}

fn add_command(page: &mut String, command: &Command) {
    let name = command.get_bin_name().unwrap_or(command.get_name());
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    page.push_str(&format!("\n## {name}\n\n{about}\n"));
    let own = |argument: &&Arg| !argument.is_global_set() && !argument.is_hide_set() && !is_help(argument);
    let arguments: Vec<&Arg> = command.get_positionals().chain(command.get_opts()).chain(switches(command)).collect();
    let mut own: Vec<&Arg> = arguments.into_iter().filter(own).collect();
    if own.is_empty() {
        return;
    }
    own.sort_by_key(|argument| !argument.is_positional());
    page.push_str(&format!("\n```\n{}\n```\n\n", usage(command)));
    own.into_iter().for_each(|argument| page.push_str(&line(argument)));
}

fn usage(command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    usage.trim_start_matches("Usage: ").trim().to_owned()
}

fn switches(command: &Command) -> impl Iterator<Item = &Arg> {
    let is_switch = |argument: &&Arg| !argument.is_positional() && !argument.get_action().takes_values();
    command.get_arguments().filter(is_switch)
}

fn is_help(argument: &Arg) -> bool {
    matches!(argument.get_id().as_str(), "help" | "version")
}

/// One argument: how it is written, what it means, what it may be and what it is when it is left out.
fn line(argument: &Arg) -> String {
    let help = argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
    let short = argument.get_short().map_or_else(String::new, |short| format!("-{short}, "));
    let mut line = format!("- `{short}{}`: {help}", argument.to_string().trim_end_matches("..."));
    let values: Vec<String> = argument
        .get_possible_values()
        .iter()
        .filter(|_| argument.get_action().takes_values())
        .map(|value| match value.get_help() {
            Some(help) if !help.to_string().eq_ignore_ascii_case(value.get_name()) => {
                format!("`{}` ({})", value.get_name(), lower_first(&help.to_string()))
            }
            _ => format!("`{}`", value.get_name()),
        })
        .collect();
    if !values.is_empty() {
        line.push_str(&format!(". One of {}", values.join(", ")));
    }
    let defaults: Vec<_> = argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if argument.get_action().takes_values() && !defaults.is_empty() {
        line.push_str(&format!(". When left out: `{}`", defaults.join(",")));
    }
    line + "\n"
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
