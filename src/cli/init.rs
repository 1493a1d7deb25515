//! `init`: a new publication that works at once.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::clock;
use crate::files::{self, SETTINGS_FILE};

use super::{Context, Done, Failure};

/// Make a new publication that works at once
///
/// Example: pressrun init my-publication
#[derive(Debug, Args)]
pub struct Init {
    /// Where; made if it is not there
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
}

/// What a new publication consists of; the article gets its id and its date when it is written.
const FILES: [(&str, &str); 3] = [
    (SETTINGS_FILE, include_str!("init/publish.toml")),
    ("content/welcome.md", include_str!("init/welcome.md")),
    (".gitignore", include_str!("init/gitignore")),
];

/// Writes the files, none of them over another.
pub fn run(init: &Init, context: &Context) -> Done {
    let folder = &init.folder;
    if let Some((name, _)) = FILES.iter().find(|(name, _)| folder.join(name).exists()) {
        let message = format!("`{}` exists already; nothing was written", folder.join(name).display());
        return Err(Failure::yours(message, "choose an empty folder, such as `pressrun init my-publication`"));
    }
    let (id, date) = (clock::new_article_id(), clock::now().format("%Y-%m-%d %H:%M").to_string());
    for (name, text) in FILES {
        let text = text.replace("$ID", &id).replace("$DATE", &date);
        files::write_atomically(&folder.join(name), text.as_bytes())?;
    }
    context.say(&format!("A new publication is in {}.", shown(folder)));
    context.say(&format!("Look at it with `{}`.", serve(folder)));
    Ok(())
}

fn shown(folder: &Path) -> String {
    if folder == Path::new(".") { "this folder".to_owned() } else { format!("`{}`", folder.display()) }
}

fn serve(folder: &Path) -> String {
    if folder == Path::new(".") {
        "pressrun serve".to_owned()
    } else {
        format!("pressrun --config {}/{SETTINGS_FILE} serve", folder.display())
    }
}
