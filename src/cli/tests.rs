use std::path::Path;

use super::command_reference;

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
