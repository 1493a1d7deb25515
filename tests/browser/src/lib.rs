//! What readers do in a browser, told in Chromium against the real program.
//!
//! A test starts `pressrun serve` on a copy of the sample publication, and a Chromium of its own. Nothing waits for a
//! time: it waits for a page to load, a line to be printed or a process to end, and gives up at a deadline.

mod program;

pub mod axe;
pub mod chromium;
pub mod people;
pub mod publication;

#[cfg(test)]
mod life;
#[cfg(test)]
mod looks;
#[cfg(test)]
mod members;
#[cfg(test)]
mod sign_in;
#[cfg(test)]
mod story;
