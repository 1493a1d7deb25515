//! Takes the pictures of the README; with `--all DIR` every page, at two widths, light and dark, to be looked at.
//!
//! The pages are those of the sample publication, reached as a reader reaches them. `scripts/screenshots` runs it from
//! the top of the tree.

use std::path::{Path, PathBuf};

use browser_tests::chromium::Script;
use browser_tests::people::Reader;
use browser_tests::publication::Publication;

const README_PICTURES: &str = "docs/images";

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let album = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => None,
        ["--all", folder] => Some(Album { folder: PathBuf::from(folder) }),
        _ => panic!("usage: scripts/screenshots [--all DIR]"),
    };
    let publication = Publication::start();
    let reader = publication.reader("reader", Script::Allowed).await;
    match album {
        None => of_the_readme(&publication, &reader).await,
        Some(album) => album.of_every_page(&publication, &reader).await,
    }
    reader.chromium.ends().await;
}

async fn of_the_readme(publication: &Publication, reader: &Reader) {
    let folder = Path::new(README_PICTURES);
    reader.chromium.prefers("light").await;
    reader.chromium.has_screen(1280, 900).await;
    reader.chromium.goes_to("/how-passkeys-work/").await;
    save(folder, "page", &reader.chromium.picture(false).await);
    subscribe(reader).await;
    publication.editor().sends("how-passkeys-work");
    reader.reads_mail("passkey").await;
    reader.chromium.has_screen(700, 900).await;
    reader.chromium.follows("a[href$='/html']").await;
    save(folder, "mail", &reader.chromium.picture(false).await);
}

async fn subscribe(reader: &Reader) {
    reader.signs_up("/subscribe").await;
    reader.reads_mail("onfirm").await;
    reader.follows_link("/confirm/").await;
    reader.confirms().await;
}

fn save(folder: &Path, name: &str, picture: &[u8]) {
    std::fs::create_dir_all(folder).expect("a folder for the pictures");
    let path = folder.join(format!("{name}.png"));
    std::fs::write(&path, picture).expect("a picture");
    println!("{}", path.display());
}

/// Pictures of one page: `home-375-dark.png`.
struct Album {
    folder: PathBuf,
}

impl Album {
    /// Takes the page as it is now, in four views. Nothing is asked again, so that a notice stays.
    async fn takes(&self, reader: &Reader, name: &str) {
        for width in [1280, 375] {
            for scheme in ["light", "dark"] {
                reader.chromium.has_screen(width, 800).await;
                reader.chromium.prefers(scheme).await;
                save(&self.folder, &format!("{name}-{width}-{scheme}"), &reader.chromium.picture(true).await);
            }
        }
        reader.chromium.has_screen(1280, 800).await;
    }

    async fn of_every_page(&self, publication: &Publication, reader: &Reader) {
        for (name, path) in [
            ("home", "/"),
            ("article", "/how-passkeys-work/"),
            ("archive", "/archive/"),
            ("tag", "/tags/security/"),
            ("author", "/authors/security-desk/"),
            ("about", "/about/"),
            ("subscribe", "/subscribe"),
            ("not-found", "/nowhere/"),
            ("outbox-empty", "/outbox/"),
        ] {
            reader.chromium.goes_to(path).await;
            self.takes(reader, name).await;
        }
        self.of_the_way_in(reader).await;
        self.of_the_account(publication, reader).await;
        publication.editor().sends("how-passkeys-work");
        self.of_the_way_out(reader).await;
    }

    async fn of_the_way_in(&self, reader: &Reader) {
        reader.signs_up("/subscribe").await;
        self.takes(reader, "notice-check-your-mail").await;
        reader.reads_mail("onfirm").await;
        self.takes(reader, "outbox-mail-confirm").await;
        reader.chromium.follows("a[href$='/html']").await;
        self.takes(reader, "mail-confirm").await;
        reader.chromium.follows("a[href*='/confirm/']").await;
        self.takes(reader, "confirm").await;
        reader.confirms().await;
        self.takes(reader, "notice-subscribed").await;
    }

    async fn of_the_account(&self, publication: &Publication, reader: &Reader) {
        reader.chromium.goes_to("/sign-in").await;
        self.takes(reader, "sign-in").await;
        reader.asks_to_sign_in().await;
        self.takes(reader, "sign-in-code").await;
        reader.reads_mail("Sign in").await;
        reader.chromium.follows("a[href$='/html']").await;
        self.takes(reader, "mail-sign-in").await;
        reader.chromium.follows("a[href*='/sign-in/']").await;
        self.takes(reader, "sign-in-link").await;
        let link: String = reader.chromium.asks("location.href").await;
        let other = publication.reader("other", Script::Allowed).await;
        other.chromium.goes_to(&link).await;
        self.takes(&other, "sign-in-link-elsewhere").await;
        other.chromium.follows("main form button").await;
        self.takes(&other, "account").await;
        other.chromium.follows("a[href='/account/erase']").await;
        self.takes(&other, "account-erase").await;
        other.chromium.ends().await;
        reader.chromium.goes_to("/sign-in/no-such-token").await;
        self.takes(reader, "sign-in-expired").await;
    }

    async fn of_the_way_out(&self, reader: &Reader) {
        reader.reads_mail("passkey").await;
        self.takes(reader, "outbox-mail").await;
        reader.chromium.follows("a[href$='/html']").await;
        self.takes(reader, "mail").await;
        reader.chromium.follows("a[href*='/issues/']").await;
        self.takes(reader, "issue").await;
        reader.chromium.goes_to("/outbox/").await;
        self.takes(reader, "outbox").await;
        reader.reads_mail("passkey").await;
        reader.follows_link("/preferences/").await;
        self.takes(reader, "preferences").await;
        reader.reads_mail("passkey").await;
        reader.follows_link("/unsubscribe/").await;
        self.takes(reader, "unsubscribe").await;
        reader.leaves().await;
        self.takes(reader, "notice-left").await;
        reader.chromium.goes_to("/confirm/no-such-token").await;
        self.takes(reader, "notice-link-expired").await;
    }
}
