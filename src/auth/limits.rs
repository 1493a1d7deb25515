//! How often anybody may ask for a mail, and try a link or a code: the same for signing up and signing in.
//!
//! What is counted lies in the store under keyed hashes, so that a limit outlives a restart and holds over all
//! processes, and nobody reads an address or a network there. No account is ever locked.

use std::net::IpAddr;

use chrono::{DateTime, Duration, Utc};

use crate::model::EmailAddress;
use crate::store::{Asking, Counted, Limit, NoRoom, Result, Store};

use super::ServerKeys;

/// How often one address is mailed the same kind of link.
const PER_ADDRESS: &[Limit] = &[
    Limit { times: 1, window: Duration::seconds(60) },
    Limit { times: 5, window: Duration::hours(1) },
    Limit { times: 10, window: Duration::hours(24) },
];
/// How often one client may ask for links.
const PER_CLIENT: &[Limit] = &[Limit { times: 20, window: Duration::hours(1) }];
/// How often all of a client's network may: enough for a town behind one, too little to shut everybody else out.
const PER_NETWORK: &[Limit] = &[Limit { times: 200, window: Duration::hours(1) }];
/// How often everybody together may be mailed: far above a busy day, far below what a relay would call a flood.
const PER_MINUTE: &[Limit] = &[Limit { times: 600, window: Duration::seconds(60) }];
/// How often the alarm about that is raised.
const ALARMS: &[Limit] = &[Limit { times: 1, window: Duration::minutes(10) }];
/// How many links that nobody was ever mailed, and how many wrong codes, one client may try.
const FAILURES: &[Limit] = &[Limit { times: 30, window: Duration::hours(1) }];

/// What became of a request for a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Whatever is known of the address, the answer is that a link is on its way.
    Accepted,
    /// This client has asked too often.
    TooOften,
    /// Everybody together asks too often. Whether it is time to tell the editors.
    Flooded {
        /// Nobody was told within the last ten minutes.
        is_news: bool,
    },
}

/// Whoever asks for something, and what they are answered from.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// What is known.
    pub store: &'a Store,
    /// What links and codes are made with.
    pub keys: &'a ServerKeys,
    /// Where they ask from: whose limits count.
    pub client: IpAddr,
    /// When.
    pub now: DateTime<Utc>,
}

impl Asker<'_> {
    /// What a request for a mail counts against. The scopes are for the client, for everybody and for the address.
    pub(crate) fn asking(self, scopes: [&'static str; 3], email: &EmailAddress) -> Asking {
        let [for_client, for_everyone, for_address] = scopes;
        let key = self.keys.sign("limit-network", &wide(self.client));
        let network = Counted { scope: for_client, key, limits: PER_NETWORK };
        let address = self.keys.sign("limit-address", email.key());
        Asking {
            client: [self.counted(for_client, PER_CLIENT), network],
            everyone: Counted { scope: for_everyone, key: String::new(), limits: PER_MINUTE },
            address: Counted { scope: for_address, key: address, limits: PER_ADDRESS },
        }
    }

    /// What the asker hears; counts the alarm of a flood.
    pub(crate) async fn asked(self, no_room: Option<NoRoom>) -> Result<Asked> {
        Ok(match no_room {
            None => Asked::Accepted,
            Some(NoRoom::ForClient) => Asked::TooOften,
            Some(NoRoom::ForAnybody) => {
                let alarm = Counted { scope: "flood-alarm", key: String::new(), limits: ALARMS };
                Asked::Flooded { is_news: self.store.count(alarm, self.now).await? }
            }
        })
    }

    /// Counts a forged link; says whether they may go on. What a right link asks for is never refused for it: many
    /// share an address, and any page can have its readers send forged ones.
    pub async fn forged(self) -> Result<bool> {
        self.store.count(self.forged_links(), self.now).await
    }

    /// Counts a purchase that is begun; says whether they may go on.
    pub async fn may_buy(self) -> Result<bool> {
        self.store.count(self.counted("checkout-client", PER_CLIENT), self.now).await
    }

    /// Counts a return from the payment provider, which is asked each time; says whether they may go on.
    pub async fn may_return(self) -> Result<bool> {
        self.store.count(self.counted("return-client", FAILURES), self.now).await
    }

    /// The count of forged links.
    pub(crate) fn forged_links(self) -> Counted {
        self.counted("forged-link", FAILURES)
    }

    /// The count of wrong codes.
    pub(super) fn wrong_codes(self) -> Counted {
        self.counted("wrong-code", FAILURES)
    }

    fn counted(self, scope: &'static str, limits: &'static [Limit]) -> Counted {
        Counted { scope, key: self.keys.sign("limit-client", &network(self.client)), limits }
    }
}

/// Whom a limit counts as one: an IPv4 address, or the /64 of an IPv6 address, which one subscriber of a provider has.
fn network(client: IpAddr) -> String {
    match client.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("{:016x}/64", v6.to_bits() >> 64),
    }
}

/// The network around it that one customer of a provider may well have: a /24, or a /48.
fn wide(client: IpAddr) -> String {
    match client.to_canonical() {
        IpAddr::V4(v4) => format!("{:06x}/24", v4.to_bits() >> 8),
        IpAddr::V6(v6) => format!("{:012x}/48", v6.to_bits() >> 80),
    }
}
