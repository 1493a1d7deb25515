//! The door, tried from both sides.
#![expect(clippy::disallowed_methods, reason = "what was written is looked at behind the back of the door")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use tempfile::TempDir;

use super::*;

fn publication(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        write_atomically(&folder.path().join(path), text.as_bytes()).unwrap();
    }
    folder
}

fn paths(files: &[TextFile]) -> Vec<&str> {
    files.iter().map(|file| file.path.as_str()).collect()
}

#[track_caller]
fn check_refused(folder: &Path, expected: &[(&str, Refusal)]) {
    let refused = read_tree(folder).unwrap().refused;
    let found: Vec<_> = refused.into_iter().map(|refused| (refused.path, refused.why)).collect();
    let expected: Vec<_> = expected.iter().map(|(path, why)| ((*path).to_owned(), why.clone())).collect();
    assert_eq!(found, expected);
}

#[test]
fn every_file_has_its_place() {
    let folder = publication(&[
        ("publish.toml", "[publication]"),
        ("content/2026/b.md", "b"),
        ("content/2026/a.md", "a"),
        ("content/pages/about.md", "about"),
        ("content/2026/map.svg", "<svg/>"),
        ("content/2026/.a.md.swp", "swap"),
        ("content/2026/a.md~", "backup"),
        ("templates/site/page.html", "page"),
        ("data/secret", "secret"),
        ("notes.md", "notes"),
    ]);
    let tree = read_tree(folder.path()).unwrap();
    assert_eq!(read_settings(folder.path()).unwrap().as_deref(), Some("[publication]"));
    assert_eq!(paths(&tree.articles), ["content/2026/a.md", "content/2026/b.md"]);
    assert_eq!(paths(&tree.pages), ["content/pages/about.md"]);
    assert_eq!(paths(&tree.templates), ["templates/site/page.html"]);
    assert_eq!(tree.media.keys().collect::<Vec<_>>(), ["content/2026/map.svg"]);
    assert_eq!(tree.refused, []);
}

#[test]
fn a_picture_is_measured_without_being_decoded() {
    let folder = tempfile::tempdir().unwrap();
    let gif = b"GIF89a\x03\x00\x02\x00\x80\x00\x00";
    write_atomically(&folder.path().join("content/dot.gif"), gif).unwrap();
    let tree = read_tree(folder.path()).unwrap();
    let image = &tree.media["content/dot.gif"];
    assert_eq!((image.bytes, image.pixels), (13, Some((3, 2))));
    assert_eq!(image.hash, "6333f400e0fd3e281cc5e749fdb4d483e0ae51ebf940ccbba48877aae4150ee6");
}

#[test]
fn a_folder_without_words_is_not_an_empty_publication() {
    let folder = publication(&[]);
    let tree = read_tree(folder.path()).unwrap();
    assert!(read_settings(folder.path()).unwrap().is_none() && tree.articles.is_empty());
    assert_eq!(tree.refused.iter().map(|refused| refused.path.as_str()).collect::<Vec<_>>(), ["content"]);
    let error = read_tree(&folder.path().join("missing")).unwrap_err();
    assert!(error.to_string().ends_with("missing`: there is no such file or folder"), "{error}");
}

#[test]
fn a_symlink_stays_in_its_folder() {
    let folder = publication(&[("content/a.md", "a"), ("publish.toml", ""), ("data/secret", "secret")]);
    let outside = publication(&[("b.md", "b")]);
    let content = folder.path().join("content");
    symlink(outside.path().join("b.md"), content.join("absolute.md")).unwrap();
    symlink(outside.path(), content.join("folder")).unwrap();
    symlink("../data/secret", content.join("secret.png")).unwrap();
    symlink("a.md", content.join("inside.md")).unwrap();
    symlink("nothing.md", content.join("nowhere.md")).unwrap();
    check_refused(
        folder.path(),
        &[
            ("content/absolute.md", Refusal::LeadsOutside),
            ("content/folder", Refusal::LeadsOutside),
            ("content/nowhere.md", Refusal::NotReadable("there is no such file or folder".to_owned())),
            ("content/secret.png", Refusal::LeadsOutside),
        ],
    );
    assert_eq!(paths(&read_tree(folder.path()).unwrap().articles), ["content/a.md", "content/inside.md"]);
}

#[test]
fn content_itself_does_not_lead_outside() {
    let folder = publication(&[("publish.toml", "")]);
    let outside = publication(&[("a.md", "a")]);
    symlink(outside.path(), folder.path().join("content")).unwrap();
    symlink(".", folder.path().join("templates")).unwrap();
    check_refused(folder.path(), &[("content", Refusal::LeadsOutside), ("templates", Refusal::LeadsOutside)]);
}

#[test]
fn a_circle_of_symlinks_ends() {
    let folder = publication(&[("content/one/a.md", "a"), ("content/two/b.md", "b")]);
    symlink("../two", folder.path().join("content/one/to-two")).unwrap();
    symlink("../one", folder.path().join("content/two/to-one")).unwrap();
    symlink("itself", folder.path().join("content/itself")).unwrap();
    let refused = read_tree(folder.path()).unwrap().refused;
    let places: Vec<_> = refused.iter().map(|refused| refused.path.as_str()).collect();
    assert_eq!(places, ["content/itself", "content/one/to-two/to-one", "content/two/to-one/to-two"]);
    assert_eq!(refused[1].why, Refusal::Loop);
}

#[test]
fn a_huge_article_is_not_read() {
    let folder = publication(&[("content/a.md", "a")]);
    let huge = fs::File::create(folder.path().join("content/huge.md")).unwrap();
    huge.set_len(50 << 20).unwrap();
    check_refused(folder.path(), &[("content/huge.md", Refusal::TooLarge(50 << 20))]);
}

#[test]
fn a_pipe_is_not_opened() {
    let folder = publication(&[("content/a.md", "a")]);
    let pipe = folder.path().join("content/pipe.md");
    let _listener = std::os::unix::net::UnixListener::bind(&pipe).unwrap();
    check_refused(folder.path(), &[("content/pipe.md", Refusal::NotReadable("it is not a regular file".to_owned()))]);
}

#[test]
fn settings_that_are_not_text_are_an_error() {
    let folder = publication(&[]);
    write_atomically(&folder.path().join("publish.toml"), b"\xff\xfe").unwrap();
    let error = read_settings(folder.path()).unwrap_err();
    assert!(error.to_string().ends_with("publish.toml`: it is not UTF-8 text"), "{error}");
    assert_eq!(error.help(), "save the file as UTF-8");
}

#[test]
fn media_are_read_from_content_alone() {
    let folder = publication(&[("content/a.png", "a"), ("publish.toml", "b")]);
    symlink("../publish.toml", folder.path().join("content/settings.png")).unwrap();
    assert_eq!(read_media(folder.path(), "content/a.png").unwrap(), b"a");
    for path in
        ["publish.toml", "content/../publish.toml", "content/settings.png", "/etc/passwd", "content", "content/\0"]
    {
        assert!(read_media(folder.path(), path).is_err(), "{path}");
    }
}

#[test]
fn a_secret_is_its_file_without_the_newline() {
    let folder = publication(&[("data/password", "correct horse\n")]);
    assert_eq!(read_secret(folder.path(), "data/password").unwrap(), "correct horse");
    let absolute = folder.path().join("data/password");
    assert_eq!(read_secret(Path::new("/"), absolute.to_str().unwrap()).unwrap(), "correct horse");
    assert!(read_secret(folder.path(), "data").is_err());
}

#[test]
fn what_did_not_change_is_not_written() {
    let folder = publication(&[]);
    let path = folder.path().join("deep/er/index.html");
    assert!(write_if_changed(&path, b"one").unwrap());
    assert!(!write_if_changed(&path, b"one").unwrap());
    assert!(write_if_changed(&path, b"two").unwrap());
    assert_eq!(fs::read_dir(folder.path().join("deep/er")).unwrap().count(), 1);
    assert_eq!(read_if_there(&path).unwrap().unwrap(), b"two");
}

#[test]
fn removing_takes_empty_folders_along() {
    let folder = publication(&[("one/two/a", "a"), ("one/b", "b")]);
    remove(&folder.path().join("one/two/a"), folder.path()).unwrap();
    remove(&folder.path().join("one/two/a"), folder.path()).unwrap();
    assert!(!folder.path().join("one/two").exists() && folder.path().join("one/b").exists());
}

/// Whether the operating system keeps us out, which it does not do for root.
fn is_kept_out(path: &Path) -> bool {
    fs::read_dir(path).is_err()
}

#[test]
fn what_may_not_be_read_is_refused() {
    let folder = publication(&[("content/locked/a.md", "a"), ("content/b.md", "b")]);
    let locked = folder.path().join("content/locked");
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
    if is_kept_out(&locked) {
        check_refused(folder.path(), &[("content/locked", Refusal::NotReadable("permission denied".to_owned()))]);
    }
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_file_in_the_way_is_named() {
    let folder = publication(&[("public", "a file")]);
    let error = write_if_changed(&folder.path().join("public/index.html"), b"page").unwrap_err();
    assert!(error.to_string().contains("public/index.html`"), "{error}");
    let error = write_atomically(Path::new("/proc/no-such-folder/file"), b"x").unwrap_err();
    assert!(error.to_string().starts_with("cannot write `/proc/no-such-folder/file`"), "{error}");
}
