//! `explain`: what a diagnostic means.

use clap::Args;
use serde::Serialize;

use crate::diagnostic::{ALL_CODES, Code, did_you_mean};

use super::{Context, Done, Failure};

/// Show what a diagnostic means, with an example and the remedy
///
/// Example: pressrun explain link/missing
#[derive(Debug, Args)]
pub struct Explain {
    /// The code that `check` prints in brackets
    #[arg(value_name = "CODE")]
    code: String,
}

#[derive(Serialize)]
struct Answer {
    code: &'static str,
    severity: &'static str,
    /// Markdown.
    explanation: &'static str,
}

/// Prints it.
pub fn run(explain: &Explain, context: &Context) -> Done {
    let Explain { code: name } = explain;
    let unknown = || {
        let known = ALL_CODES.iter().map(|code| code.name);
        let help = did_you_mean(name, known, "`pressrun check` prints it in brackets, such as `link/missing`");
        Failure::yours(format!("there is no diagnostic `{name}`"), help)
    };
    let code = ALL_CODES.iter().find(|code| code.name == name).ok_or_else(unknown)?;
    let Code { name, severity } = **code;
    let answer = Answer { code: name, severity: severity.as_str(), explanation: code.explanation() };
    context.answer(&answer, |answer| format!("{}\n\n{}", answer.code, answer.explanation))
}
