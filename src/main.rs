//! The program `pressrun`.

fn main() {}
