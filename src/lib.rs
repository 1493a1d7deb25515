//! Pressrun: Markdown articles with front matter become a web site and mail, and each issue reaches every reader who
//! asked for it, at once or in a digest.
//!
//! The modules stand in reading order. **A module uses only modules that stand above it**; `tests/architecture.rs`
//! holds that.

// ── values and rules: same input, same output; no clock, no dice, no disk, no network, no database ──

/// Work for as many threads as there are processors.
pub mod threads;
/// A problem an editor can fix: code, place, message, help; and how it is shown.
pub mod diagnostic;
/// Time zones: the rules bundled in the program, local hours to instants and back.
pub mod zone;
/// The nouns of the trade, and their state machines as pure functions.
pub mod model;
/// `publish.toml`: settings, defaults, what is wrong with them.
pub mod config;
/// Words in: front matter, Markdown, article, page, catalog.
pub mod content;
/// Words out: templates with typed contexts, pages, feeds, sitemap, mail bodies.
pub mod render;
/// One message: headers and MIME bytes.
pub mod mail;
/// A catalog, its pages and mails, and a listing of files in; diagnostics out.
pub mod checks;

// ── the outside world: each module owns one door ──

/// The time and the dice.
pub mod clock;
/// What this process has counted since it began.
pub mod counters;
/// The files of a publication: read, write atomically, watch.
pub mod files;
/// The database: every SQL statement lives here.
pub mod store;
/// The servers that take our mail: SMTP on our own stream, and the outbox folder.
pub mod relay;
/// The payment provider (Stripe).
pub mod payments;
/// Questions to DNS about our own domains, and what their answers mean for mail; fetching from the web.
pub mod lookup;

// ── what happens when ──

/// The publication in memory: files to catalog to pages and mails.
pub mod press;
/// Who may act: signing in, staying signed in, the server key and what is signed with it, how often anybody may ask.
pub mod auth;
/// Sign up, confirm, choose, leave; import, export, erase.
pub mod audience;
/// Pay, change a card, switch, cancel; what the payment provider says becomes who may read.
pub mod billing;
/// Articles become issues, issues become deliveries; the scheduler and the digests.
pub mod publishing;
/// Deliveries become sent mail; retries and leases.
pub mod sending;
/// What comes back: bounces, complaints, and what follows from them.
pub mod mailbox;

// ── faces ──

/// The site, the readers' pages and the outbox, over HTTP.
pub mod web;
/// The command line, one file a command.
pub mod cli;
