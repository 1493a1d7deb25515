//! Bounces that others collected, read by ours: `scripts/judge-bounces` fetches them and says what is right.

use std::path::Path;
use std::{env, fs};

use pressrun::mail::report::{self, Report};

/// For each file of `PRESSRUN_BOUNCES`, prints what it is taken for. Without that folder, there is nothing to judge.
#[test]
fn bounces_of_strangers() {
    let Some(folder) = env::var_os("PRESSRUN_BOUNCES") else { return };
    let mut files: Vec<_> = fs::read_dir(Path::new(&folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files {
        let read = report::read(&fs::read(&file).unwrap());
        let (what, text) = match &read {
            None => ("nothing", ""),
            Some(Report::Passing) => ("passing", ""),
            Some(Report::Back(back)) => (back.cause.as_str(), &*back.text),
        };
        println!("judged {} {what} {text}", file.file_name().unwrap().to_string_lossy());
    }
}
