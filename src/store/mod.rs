//! The database: SQLite or PostgreSQL behind one set of functions.
//!
//! Every SQL statement of the program lives here. One function is one statement or one transaction, and its doc line
//! says what it guarantees. The text of the SQL is the same for both; the few places where they differ are named in
//! `dialect`.
//!
//! Nothing queries outside of an open transaction on the same connection, and no transaction is open while SMTP or
//! HTTP is spoken.

mod addresses;
mod audit;
mod billing;
mod choices;
mod copy;
mod database;
mod deliveries;
mod dialect;
mod digests;
mod erasure;
mod errands;
mod flows;
#[cfg(test)]
pub(crate) mod fresh;
mod identity;
mod issues;
mod journal;
mod ledger;
mod limits;
mod log;
mod memberships;
mod notices;
mod open;
mod relays;
mod returns;
mod rhythms;
mod schema;
mod sealing;
mod sessions;
mod sign_ins;
mod subscribers;
mod upkeep;
mod values;

pub use addresses::{MOVE_BACK_WITHIN, MOVE_WITHIN};
pub use audit::AccountEvent;
pub use billing::{Bill, Found, Told};
pub use choices::Person;
pub use copy::Copied;
pub use database::{Result, StoreError, Transaction, Work, again};
pub use deliveries::{AttemptRow, Claimed, Content, DeliveryRow, Fixed, IssueMail, Outcome, Said};
pub use digests::{DigestRun, Group, KnownRhythm};
pub use errands::Errand;
pub use flows::{Choice, Confirmed, Confirming, Flow, Request, SignUp, Unopened, Welcome, read_payload};
pub use identity::Home;
pub use issues::IssueRow;
pub use journal::{Claim, Entries, Note, Record};
pub use ledger::{Entry, Sighting, Standing};
pub use limits::{Asking, Counted, Limit, NoRoom};
pub use memberships::{Bought, Membership, Standings};
pub use notices::FollowUp;
pub use open::{Store, StoreAddress};
pub use returns::{About, Consequence, Returned, Stopped};
pub use sealing::{Audience, Count, Sealing};
pub use sessions::{NewSession, Session};
pub use sign_ins::{NewSignIn, Proof};
pub use subscribers::{Newcomer, Subscriber, Subscription};
pub use upkeep::{hold_copy, look_over};
pub use values::{Columns, Row, Value};
