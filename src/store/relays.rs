//! How each relay fares: known to all senders on the same database, so that rates and rests hold over all of them.

use crate::model::Health;

use super::database::{Result, transact};
use super::open::Store;
use super::values::{columns, values};

columns! {
    Health: used_to, rests, drops, rests_until, lines, widens_at, tried_by, tried_until;
}

impl Store {
    /// How a relay fares, by its name.
    pub async fn relay(&self, name: &str) -> Result<Health> {
        let sql = "SELECT used_to, rests, drops, rests_until, lines, widens_at, tried_by, tried_until
            FROM relays WHERE name = $1";
        Ok(self.row(sql, values![name]).await?.unwrap_or_default())
    }

    /// Changes how a relay fares, in one transaction during which nobody else does.
    pub async fn change_relay<T: Send + 'static>(
        &self,
        name: String,
        change: impl FnOnce(&mut Health) -> T + Send + 'static,
    ) -> Result<T> {
        transact!(self.write, |transaction| {
            let known = "INSERT INTO relays (name) VALUES ($1) ON CONFLICT (name) DO NOTHING";
            transaction.execute(known, values![&name]).await?;
            // The write comes first, so that whoever asks next waits for the end of this.
            let held = "UPDATE relays SET name = name WHERE name = $1
                RETURNING used_to, rests, drops, rests_until, lines, widens_at, tried_by, tried_until";
            let mut health: Health = transaction.row(held, values![&name]).await?.unwrap_or_default();
            let answer = change(&mut health);
            let Health { used_to, rests, drops, rests_until, lines, widens_at, tried_by, tried_until } = health;
            let sql = "UPDATE relays SET used_to = $2, rests = $3, drops = $4, rests_until = $5, lines = $6,
                widens_at = $7, tried_by = $8, tried_until = $9 WHERE name = $1";
            let values = values![name, used_to, rests, drops, rests_until, lines, widens_at, tried_by, tried_until];
            transaction.execute(sql, values).await?;
            Ok(answer)
        })
    }
}
