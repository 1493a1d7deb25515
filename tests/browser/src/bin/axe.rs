//! Looks with axe-core at every page that readers see.
//!
//! Every template with something of everything in it, in every language, and the sample publication as it is served;
//! light and dark, on three widths. A page that gets a sample in `src/render/` is looked at from then on. `scripts/axe`
//! fetches axe-core and runs this from the top of the tree; with `--pictures DIR`, it leaves a picture of every view.

use std::path::{Path, PathBuf};

use browser_tests::axe;
use browser_tests::chromium::{Chromium, Script};
use browser_tests::publication::Publication;
use pressrun::render::Theme;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (axe, pictures, only) = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [axe] => (*axe, None, ""),
        [axe, "--pictures", folder] => (*axe, Some(PathBuf::from(folder)), ""),
        [axe, "--pictures", folder, only] => (*axe, Some(PathBuf::from(folder)), *only),
        _ => panic!("usage: scripts/axe [--pictures DIR [PART-OF-A-NAME]]"),
    };
    let axe = std::fs::read_to_string(axe).expect("axe-core");
    let mut looks = Looks { axe, pictures, only: only.to_owned(), views: 0, found: Vec::new() };
    looks.at_samples().await;
    looks.at_the_publication().await;
    if !looks.found.is_empty() {
        eprintln!("{} views, and not as they should be:\n{}", looks.views, looks.found.join("\n"));
        std::process::exit(1);
    }
    println!("{} views, nothing that WCAG 2.2 AA forbids", looks.views);
}

struct Looks {
    axe: String,
    pictures: Option<PathBuf>,
    only: String,
    views: usize,
    found: Vec<String>,
}

impl Looks {
    async fn at_samples(&mut self) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let chromium = Chromium::open(&format!("file://{}", folder.path().display()), None, Script::Allowed).await;
        for (name, page) in written(folder.path()) {
            self.at_page(&chromium, &name, &format!("/{page}")).await;
        }
        chromium.ends().await;
    }

    async fn at_the_publication(&mut self) {
        let publication = Publication::start();
        let chromium = Chromium::open(&publication.url, None, Script::Allowed).await;
        let paths = ["/", "/how-passkeys-work/", "/archive/", "/tags/security/", "/authors/security-desk/", "/about/"];
        for path in paths {
            self.at_page(&chromium, &path.trim_matches('/').replace('/', "-"), path).await;
        }
        chromium.ends().await;
    }

    async fn at_page(&mut self, chromium: &Chromium, name: &str, path: &str) {
        if !name.contains(&self.only) {
            return;
        }
        chromium.goes_to(path).await;
        let name = if name.is_empty() { "home" } else { name };
        let (views, found) = axe::looks(chromium, &self.axe, name, self.pictures.as_deref()).await;
        self.views += views;
        self.found.extend(found);
    }
}

/// Writes all samples that are HTML to `folder`, with what they need beside them; gives the name of each, and its file.
fn written(folder: &Path) -> Vec<(String, String)> {
    let (theme, diagnostics) = Theme::load(&[]);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let write = |path: &str, bytes: &[u8]| {
        let path = folder.join(path.trim_start_matches('/'));
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, bytes).expect("a file");
    };
    for file in theme.static_files() {
        write(&file.address, &file.bytes);
    }
    write("media/0123456789abcdef/map.png", include_bytes!("../../../../content/2026/passkeys.png"));
    let mut pages = Vec::new();
    for words in theme.all_words() {
        // The outbox is no page for readers.
        let is_for_readers = |name: &str| name.ends_with(".html") && !name.contains("outbox");
        let samples = theme.samples(words).filter(|(template, _)| is_for_readers(template));
        for (number, (template, page)) in samples.enumerate() {
            let template = template.trim_end_matches(".html").replace('/', "-");
            let name = format!("{}-{number:02}-{template}", words.language());
            let page = page.expect("a page").replace("https://example.com/", "/").replace("=\"/", "=\"./");
            write(&format!("{name}.html"), page.as_bytes());
            pages.push((name.clone(), format!("{name}.html")));
        }
    }
    pages
}
