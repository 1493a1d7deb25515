//! The program under test: `pressrun` as cargo built it beside these tests, built now if it is missing or old.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

/// The top of the source tree.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Where the program is. `PRESSRUN_PROGRAM` names another one.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| match std::env::var_os("PRESSRUN_PROGRAM") {
        Some(program) => PathBuf::from(program),
        None => built(),
    })
}

/// Programs lie in `target/PROFILE`, tests in `deps` below. `cargo test --workspace` has built it already; a run of
/// these tests alone has not.
fn built() -> PathBuf {
    let running = std::env::current_exe().expect("the name of the running test");
    let folder = running.ancestors().skip(1).find(|folder| !folder.ends_with("deps")).expect("target/PROFILE");
    let program = folder.join("pressrun");
    if !is_current(&program) {
        eprintln!("{} is missing or older than its sources: building it", program.display());
        build();
    }
    program
}

/// Cargo writes beside each program which files it was made from: `program: file file …`.
fn is_current(program: &Path) -> bool {
    let modified = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    let (Some(built_at), Ok(list)) = (modified(program), std::fs::read_to_string(program.with_extension("d"))) else {
        return false;
    };
    let is_older = |file: &str| modified(Path::new(file)).is_some_and(|at: SystemTime| at <= built_at);
    let main = root().join("src/main.rs").canonicalize().expect("src/main.rs");
    let files: Vec<&str> = list.split_whitespace().skip(1).collect();
    files.iter().any(|file| Path::new(file) == main) && files.iter().all(|file| is_older(file))
}

fn build() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--locked", "--package", "pressrun", "--profile", profile()]).current_dir(root());
    assert!(build.status().expect("cargo").success(), "`cargo build --package pressrun` did not work");
}

/// The profile `test` shares its folder, and what is built already, with these tests.
fn profile() -> &'static str {
    if cfg!(debug_assertions) { "test" } else { "release" }
}
