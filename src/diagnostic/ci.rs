//! What build servers read, to mark lines of a change: SARIF 2.1.0 and GitHub's workflow commands.

use std::path::Path;

use serde_json::{Value, json};

use super::{ALL_CODES, Code, Diagnostic, Severity};

/// Everything that may stand in a path of a URI (RFC 3986, 3.3) besides letters and digits.
const PATH: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_').remove(b'~');

/// One log of one run, as SARIF 2.1.0 has it; files are named as seen from where `root` is.
pub fn sarif(diagnostics: &[Diagnostic], root: &Path) -> String {
    let rule = |code: &&Code| {
        json!({
            "id": code.name,
            "shortDescription": { "text": code.name },
            "help": { "text": code.explanation(), "markdown": code.explanation() },
            "defaultConfiguration": { "level": level(code.severity) },
        })
    };
    let result = |one: &Diagnostic| {
        json!({
            "ruleId": one.code.name,
            "level": level(one.severity()),
            "message": { "text": format!("{}\n{}", one.message, one.help) },
            "locations": [{ "physicalLocation": place(one, root) }],
        })
    };
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "Pressrun",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": ALL_CODES.iter().map(rule).collect::<Vec<_>>(),
            } },
            "columnKind": "unicodeCodePoints",
            "results": diagnostics.iter().map(result).collect::<Vec<_>>(),
        }],
    });
    log.to_string()
}

fn place(one: &Diagnostic, root: &Path) -> Value {
    let file = named(one, root);
    let uri = percent_encoding::utf8_percent_encode(&file, PATH).to_string();
    let mut place = json!({ "artifactLocation": { "uri": uri } });
    if let Some(span) = &one.span {
        place["region"] = json!({
            "startLine": span.line,
            "startColumn": span.column,
            "endLine": span.end_line,
            "endColumn": span.end_column,
        });
    }
    place
}

fn named(one: &Diagnostic, root: &Path) -> String {
    root.strip_prefix(".").unwrap_or(root).join(&one.file).to_string_lossy().into_owned()
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Hint => "note",
    }
}

/// A workflow command a line, which GitHub shows beside the line of the file.
pub fn github(diagnostics: &[Diagnostic], root: &Path) -> String {
    let command = |one: &Diagnostic| {
        let kind = if one.severity() == Severity::Hint { "notice" } else { level(one.severity()) };
        let file = property(&named(one, root));
        let place = one.span.as_ref().map_or(String::new(), |span| {
            let place = format!(",line={},endLine={},col={}", span.line, span.end_line, span.column);
            // GitHub takes columns of one line only.
            if span.line == span.end_line { format!("{place},endColumn={}", span.end_column) } else { place }
        });
        let words = data(&format!("{}\n{}", one.message, one.help));
        format!("::{kind} file={file}{place},title={}::{words}\n", one.code.name)
    };
    diagnostics.iter().map(command).collect()
}

/// No line ends, and nothing that is taken for an escape.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The same for a value that a colon or comma would end.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{Span, codes};

    fn diagnostics() -> Vec<Diagnostic> {
        let source = "---\ntitel: 100 %: One, two\ntags: [a]\n";
        let wrong = Diagnostic {
            code: &codes::FRONT_MATTER_UNKNOWN_KEY,
            message: "`titel` is no key: 100 %\nof them".to_owned(),
            file: "content/a, b/ä.md".to_owned(),
            span: Some(Span::new(source, 4..9)),
            help: "did you mean `title`?".to_owned(),
        };
        let longer = Diagnostic { span: Some(Span::new(source, 4..30)), ..wrong.clone() };
        let whole = Diagnostic { code: &codes::ARTICLE_NO_DATE, span: None, ..wrong.clone() };
        vec![wrong, longer, whole]
    }

    #[test]
    fn github_is_told_by_commands() {
        assert_eq!(
            github(&diagnostics(), Path::new("./news")),
            "::error file=news/content/a%2C b/ä.md,line=2,endLine=2,col=1,endColumn=6,title=front-matter/unknown-key\
             ::`titel` is no key: 100 %25%0Aof them%0Adid you mean `title`?\n\
             ::error file=news/content/a%2C b/ä.md,line=2,endLine=3,col=1,title=front-matter/unknown-key\
             ::`titel` is no key: 100 %25%0Aof them%0Adid you mean `title`?\n\
             ::notice file=news/content/a%2C b/ä.md,title=article/no-date\
             ::`titel` is no key: 100 %25%0Aof them%0Adid you mean `title`?\n"
        );
    }

    #[test]
    fn sarif_names_rules_places_and_levels() {
        let log: Value = serde_json::from_str(&sarif(&diagnostics(), Path::new("."))).unwrap();
        let run = &log["runs"][0];
        let rules: Vec<_> = run["tool"]["driver"]["rules"].as_array().unwrap().iter().map(|rule| &rule["id"]).collect();
        assert_eq!(rules.len(), ALL_CODES.len());
        insta::assert_snapshot!(serde_json::to_string_pretty(&run["results"]).unwrap());
    }
}
