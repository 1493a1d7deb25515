//! A publication opened for work: its edition, its database, its keys, its relay; or the database alone.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;
use url::Url;

use crate::auth::ServerKeys;
use crate::billing::Till;
use crate::clock;
use crate::config::{self, Settings};
use crate::content::fingerprint;
use crate::diagnostic::{self, Severity};
use crate::files::{self, FilesError, Lock};
use crate::mail;
use crate::model::ArticleId;
use crate::payments::Provider;
use crate::press::{self, Edition, Options};
use crate::publishing::Office;
use crate::relay::{self, Relay};
use crate::sending::Means;
use crate::store::{Home, Store, StoreAddress};

use super::{Context, Done, Failure};

/// Everything that a command needs which works with readers.
pub(super) struct Opened {
    /// The publication as it is now.
    pub edition: Arc<Edition>,
    /// The database, its schema up to date.
    pub store: Store,
    /// What tokens are made with.
    pub keys: Arc<ServerKeys>,
    /// Where mail is handed over: to the first that takes it.
    pub relays: Vec<Arc<dyn Relay>>,
    /// Where this database is now.
    pub home: Home,
    /// In what that differs from where it was at home, if it does.
    moved: Option<String>,
    /// Kept while the database is in use, so that nobody restores another over it.
    _lock: Option<Lock>,
}

/// All that a command needs which reads no article, however many there are.
pub(super) struct OpenedStore {
    /// What publish.toml and the environment say.
    pub settings: Settings,
    /// The database, its schema up to date.
    pub store: Store,
    /// As that of [`Opened`].
    lock: Option<Lock>,
}

/// Opens the database alone, which is made the first time. With settings that cannot be read, nothing that touches
/// readers goes on: not with another database, key or relay than the editor meant.
pub(super) async fn open_store(context: &Context) -> Done<OpenedStore> {
    let (settings, mut wrong, sources) = press::read_settings(context.root(), &context.environment)?;
    wrong.retain(|one| one.severity() == Severity::Error);
    if !wrong.is_empty() {
        context.say(diagnostic::human(&wrong, &sources, false).trim_end());
        return Err(Failure::yours("the settings are wrong, so nothing was opened", "mend what is shown above"));
    }
    files::create_private_folder(&data(context.root()))?;
    let address = StoreAddress::of(context.root(), &settings.store);
    let lock = lock(&address)?;
    Ok(OpenedStore { settings, store: Store::open(&address).await?, lock })
}

/// Opens the publication. The first time, its database and its key are made.
pub(super) async fn open(context: &Context, bound_url: Option<Url>) -> Done<Opened> {
    let OpenedStore { settings, store, lock } = open_store(context).await?;
    let bound_url = match bound_url {
        // Links of a publication without a url lead to where `serve` is reached, whichever command makes them.
        None if settings.publication.url.is_none() => store.bound_url().await?.and_then(|url| Url::parse(&url).ok()),
        bound_url => bound_url,
    };
    let options = Options { environment: context.environment.clone(), bound_url, ..Options::default() };
    let edition = press::load(context.root(), &options, clock::now())?;
    let home = home(&edition, &store).await?;
    let moved = match store.home().await? {
        None => store.settle(home.clone()).await.map(|()| None)?,
        Some(known) => (known != home).then(|| moved(&known, &home)),
    };
    Office { store: &store, edition: &edition, now: clock::now() }.enter_new_newsletters().await?;
    let keys = Arc::new(keys(context.root(), &edition)?);
    let host = mail::host(&edition.base_url);
    let relay = |settings| relay::from_settings(settings, &data(context.root()), &host);
    let relays = edition.settings.mail.relays.iter().map(relay).collect();
    Ok(Opened { edition: Arc::new(edition), store, keys, relays, home, moved, _lock: lock })
}

impl Opened {
    /// Where its plans are made, now.
    pub fn office(&self) -> Office<'_> {
        Office { store: &self.store, edition: &self.edition, now: clock::now() }
    }

    /// Where articles are; of one that is gone, its id.
    pub fn paths(&self, articles: &[ArticleId]) -> Vec<String> {
        let path = |id| self.edition.catalog.article(id).map_or_else(|| id.to_string(), |article| article.path.clone());
        articles.iter().map(path).collect()
    }

    /// What mail is sent with.
    pub fn means(&self, edition: watch::Receiver<Arc<Edition>>) -> Means {
        let (store, relays, keys) = (self.store.clone(), self.relays.clone(), Arc::clone(&self.keys));
        Means { store, relays, keys, edition }
    }

    /// Where money is dealt with; none: nothing is sold.
    pub fn till(&self) -> Done<Option<Till>> {
        let settings = &self.edition.settings;
        let Some(key) = settings.billing.key.clone() else { return Ok(None) };
        let provider = Provider::new(&settings.billing.url, key)
            .map_err(|error| Failure::yours(format!("nothing can be sold: {error}"), "look at `[billing]`"))?;
        let (store, keys) = (self.store.clone(), Arc::clone(&self.keys));
        let (grace, max_lateness) = (settings.billing.grace, settings.sending.max_lateness);
        Ok(Some(Till { store, provider, keys, grace, max_lateness }))
    }

    /// Why nothing is sent: somebody held it, or it is not at home here.
    pub async fn held(&self) -> Done<Option<String>> {
        Ok(self.store.held().await?.or_else(|| self.moved.clone()))
    }

    /// Before anything may be sent: away from home, sending is held until an editor has looked. Commands that only look
    /// change nothing.
    pub async fn hold_if_moved(&self) -> Done {
        match (&self.moved, self.store.held().await?) {
            (Some(moved), None) => Ok(self.store.hold(moved.clone()).await?),
            _ => Ok(()),
        }
    }
}

/// Where all lies that the program writes.
pub(super) fn data(root: &Path) -> PathBuf {
    root.join("data")
}

/// A database file is in use as long as this is kept.
fn lock(address: &StoreAddress) -> Done<Option<Lock>> {
    let StoreAddress::Sqlite(path) = address else { return Ok(None) };
    let busy = |error: FilesError| match error.kind() {
        io::ErrorKind::WouldBlock => {
            Failure::ours(error.to_string(), "a `pressrun db restore` is writing it; wait until it is done")
        }
        _ => error.into(),
    };
    files::lock_shared(&path.with_extension("lock")).map(Some).map_err(busy)
}

async fn home(edition: &Edition, store: &Store) -> Done<Home> {
    let url = edition.settings.publication.url.as_ref().map_or_else(String::new, ToString::to_string);
    let host = match (store.postgres_identity().await?, store.path()) {
        (Some(identity), _) => identity,
        (None, path) => {
            format!("{}:{}", files::host_name(), path.map(|path| files::absolute(path)).unwrap_or_default())
        }
    };
    Ok(Home { url, host })
}

fn moved(from: &Home, to: &Home) -> String {
    if from.url == to.url {
        format!("this database was at home at `{}` and is now at `{}`", from.host, to.host)
    } else {
        let name = |url: &str| if url.is_empty() { "no url".to_owned() } else { format!("`{url}`") };
        format!("this database belonged to {} and is now opened for {}", name(&from.url), name(&to.url))
    }
}

/// The server key: from the settings; else, beside a database file, one of our own, made at the first start.
fn keys(root: &Path, edition: &Edition) -> Done<ServerKeys> {
    let auth = &edition.settings.auth;
    let old: Vec<Vec<u8>> = auth.old_secrets.iter().map(|secret| secret.reveal().as_bytes().to_vec()).collect();
    if let Some(secret) = &auth.secret {
        return Ok(ServerKeys::new(secret.reveal().as_bytes(), old));
    }
    if matches!(edition.settings.store, config::Store::Postgres(_)) {
        return Err(Failure::yours(
            "a publication on PostgreSQL needs a server key of its own",
            "set PRESSRUN_AUTH__SECRET, or `secret-file` in `[auth]`, to at least 32 random characters; every process must have the same",
        ));
    }
    // Text, so that `secret-file` can name it once the publication is on PostgreSQL.
    let new = fingerprint(&clock::random::<32>());
    let secret = files::secret_or_new(&data(root).join("secret"), new.as_bytes())?;
    Ok(ServerKeys::new(secret, old))
}
