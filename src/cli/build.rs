//! `build`: the site as files.

use std::path::PathBuf;

use clap::Args;
use url::{Position, Url};

use crate::clock;
use crate::press::{self, Options};

use super::{Context, Done, Failure, check};

/// Write the static site: pages, feed, sitemap and images
///
/// Only what everybody may read. Files that would not change are left alone, and only files that an earlier build wrote
/// are removed.
///
/// Example: `pressrun build --out public --base-url https://news.example.com`
#[derive(Debug, Args)]
pub struct Build {
    /// The folder to write to [default: public, beside publish.toml]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Build drafts and scheduled articles too
    #[arg(long)]
    drafts: bool,
    /// Where the site will be found [default: the publication's url]
    #[arg(long, value_name = "URL", value_parser = base_url)]
    base_url: Option<Url>,
}

/// Builds the site, unless there are errors in it.
pub fn run(build: &Build, context: &Context) -> Done {
    let options = Options {
        environment: context.environment.clone(),
        base_url: build.base_url.clone(),
        is_static: true,
        drafts: build.drafts,
        ..Options::default()
    };
    let edition = press::load(context.root(), &options, clock::now())?;
    if edition.has_errors() {
        check::print(&edition.diagnostics, &edition, context)?;
        let summary = check::summary(&edition.diagnostics, edition.sources.len()).unwrap_or_default();
        return Err(Failure::yours(format!("nothing was built: {summary}"), "mend the errors above"));
    }
    let out = build.out.clone().unwrap_or_else(|| context.root().join("public"));
    let built = press::build(&edition, &out)?;
    context.say(&format!(
        "Wrote {} files, left {} as they were, removed {}: {}",
        built.written,
        built.unchanged,
        built.removed,
        out.display()
    ));
    Ok(())
}

fn base_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    let is_plain = matches!(url.scheme(), "http" | "https") && &url[Position::BeforePath..] == "/";
    if is_plain { Ok(url) } else { Err("write scheme and host alone, such as `https://news.example.com`".to_owned()) }
}
