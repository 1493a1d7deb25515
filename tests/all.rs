//! Every test that crosses modules, in one binary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test that cannot go on says so and stops; it reads files and the environment as any program does"
)]

mod architecture;
mod back;
mod cli;
mod crashes;
mod digests;
mod faults;
mod many;
mod payments;
mod relay;
mod simulation;
mod story;
mod strangers;
mod words;
mod world;
