//! The tables, one text for both databases, and the steps that lead to them.
//!
//! Ids and words are text, times are milliseconds since 1970 in UTC. What must never
//! be false is said here, so that no code has to be trusted with it.

use super::dialect::Dialects;

/// One numbered step. Steps are only ever added; each first expands, a later one contracts.
pub(super) struct Step {
    /// Counts up without gaps.
    pub version: i64,
    /// Statements, separated by semicolons.
    pub sql: &'static str,
    /// What else each database is told, before.
    pub first: Option<Dialects>,
}

/// All steps. The first of a released program is 2; a database of an earlier one is refused.
pub(super) const STEPS: &[Step] = &[
    Step { version: 2, sql: FIRST, first: None },
    Step { version: 3, sql: MEMBERSHIPS, first: None },
    Step { version: 4, sql: FEEDS, first: None },
    Step { version: 5, sql: BILLING, first: Some(MORE_NOTICES) },
    Step { version: 6, sql: REVISIONS, first: None },
    Step { version: 7, sql: COUNTED, first: Some(ATTEMPTS) },
    Step { version: 8, sql: SIGNATURES, first: None },
    Step { version: 9, sql: NAMES, first: None },
    Step { version: 10, sql: RELAYS, first: None },
    Step { version: 11, sql: RETURNS, first: None },
    Step { version: 12, sql: "", first: Some(JOURNAL) },
    Step { version: 13, sql: RETURN_COUNTS, first: None },
];

/// What came back is counted as it comes, so that each of many does not count all before it.
const RETURN_COUNTS: &str = "
CREATE TABLE return_counts (
    newsletter TEXT NOT NULL REFERENCES newsletters (id),
    -- Since 1970, in UTC.
    day BIGINT NOT NULL,
    cause TEXT NOT NULL,
    returned BIGINT NOT NULL,
    PRIMARY KEY (newsletter, day, cause)
);
INSERT INTO return_counts (newsletter, day, cause, returned)
    SELECT r.newsletter, r.at / 86400000, r.cause, COUNT(*) FROM returns r JOIN newsletters n ON n.id = r.newsletter
    WHERE r.at > n.watched_from GROUP BY r.newsletter, r.at / 86400000, r.cause;
DROP INDEX returns_by_newsletter;
-- How much of it had been sent when an editor last let its newsletter go on.
ALTER TABLE issues ADD COLUMN sent_before BIGINT NOT NULL DEFAULT 0;
UPDATE issues SET sent_before =
        COALESCE((SELECT CAST(SUM(c.sent) AS BIGINT) FROM sent_counts c WHERE c.issue = issues.id), 0)
    WHERE created_at <= (SELECT n.watched_from FROM newsletters n WHERE n.id = issues.newsletter);
ALTER TABLE newsletters DROP COLUMN watched_from
";

/// What senders noted and were answered, until it stands in the deliveries; see store::journal. There are never many
/// rows.
const JOURNAL: Dialects = Dialects { sqlite: concat!(journal!(), " WITHOUT ROWID"), postgres: journal!() };

macro_rules! journal {
    () => {
        "CREATE TABLE journal (
            owner TEXT NOT NULL,
            -- Counted up by the owner.
            number BIGINT NOT NULL,
            -- JSON; and the ids of the deliveries whose note holds.
            entries TEXT NOT NULL,
            holding TEXT,
            PRIMARY KEY (owner, number)
        )"
    };
}
use journal;

/// How each relay fares; see model::Health.
const RELAYS: &str = "
CREATE TABLE relays (
    name TEXT PRIMARY KEY,
    -- In microseconds.
    used_to BIGINT NOT NULL DEFAULT 0,
    rests BIGINT NOT NULL DEFAULT 0,
    drops BIGINT NOT NULL DEFAULT 0,
    rests_until BIGINT,
    lines BIGINT,
    widens_at BIGINT,
    tried_by TEXT,
    tried_until BIGINT
)
";

/// What came back of the mails that went out: appended, never changed.
const RETURNS: &str = "
CREATE TABLE returns (
    -- What makes two reports the same.
    id TEXT PRIMARY KEY,
    -- NULL: of no mail that is known, but of an address.
    delivery TEXT REFERENCES deliveries (id),
    newsletter TEXT REFERENCES newsletters (id),
    at BIGINT NOT NULL,
    cause TEXT NOT NULL,
    source TEXT NOT NULL,
    code BIGINT,
    enhanced TEXT,
    text TEXT NOT NULL
);
CREATE INDEX returns_by_delivery ON returns (delivery, at);
CREATE INDEX returns_by_newsletter ON returns (newsletter, at);
-- Why a newsletter waits for its editors, and since when what comes back counts.
ALTER TABLE newsletters ADD COLUMN stopped_for TEXT;
ALTER TABLE newsletters ADD COLUMN watched_from BIGINT NOT NULL DEFAULT 0
";

/// Which content was ever worked with; the fact `revision` names the newest.
const REVISIONS: &str = "
CREATE TABLE revisions (
    id TEXT PRIMARY KEY,
    -- When it became the newest.
    seen_at BIGINT NOT NULL
)
";

/// Attempts are written in the order of their key, and never found by anything else.
const ATTEMPTS: Dialects =
    Dialects { sqlite: concat!(attempts_after!(), " WITHOUT ROWID"), postgres: attempts_after!() };

macro_rules! attempts_after {
    () => {
        "CREATE TABLE attempts_after (
            delivery TEXT NOT NULL REFERENCES deliveries (id),
            epoch BIGINT NOT NULL,
            at BIGINT NOT NULL,
            relay TEXT NOT NULL,
            code BIGINT,
            enhanced TEXT,
            text TEXT NOT NULL,
            PRIMARY KEY (delivery, epoch)
        )"
    };
}
use attempts_after;

/// What was sent is counted as it is recorded, so that nobody counts a million rows; the rest is counted by an index of
/// what is neither in the queue nor sent.
const COUNTED: &str = "
INSERT INTO attempts_after (delivery, epoch, at, relay, code, enhanced, text)
    SELECT delivery, epoch, at, relay, code, enhanced, text FROM attempts;
DROP TABLE attempts;
ALTER TABLE attempts_after RENAME TO attempts;

DROP INDEX deliveries_by_issue;
CREATE INDEX deliveries_apart ON deliveries (issue, state)
    WHERE state IN ('deferred', 'failed', 'suppressed', 'unknown');

-- One row a sender, so that senders do not wait for each other.
CREATE TABLE sent_counts (
    issue TEXT NOT NULL REFERENCES issues (id),
    sender TEXT NOT NULL,
    sent BIGINT NOT NULL,
    PRIMARY KEY (issue, sender)
);
INSERT INTO sent_counts (issue, sender, sent)
    SELECT issue, '', COUNT(*) FROM deliveries WHERE state = 'sent' AND issue IS NOT NULL GROUP BY issue
";

/// Who signed a mail; what was noted before is unsigned.
const SIGNATURES: &str = "ALTER TABLE deliveries ADD COLUMN signed_by TEXT NOT NULL DEFAULT ''";

/// What a mail called its reader.
const NAMES: &str = "ALTER TABLE deliveries ADD COLUMN first_name TEXT NOT NULL DEFAULT ''";

/// The number that the address of a reader's own feed is made from.
const FEEDS: &str = "ALTER TABLE subscribers ADD COLUMN feed BIGINT NOT NULL DEFAULT 0";

/// Notices about money. The list of purposes is the program's, which writes no other.
///
/// SQLite has no way to take a check off a table that others refer to but to edit its text, which it allows where the
/// rows stay as they are.
const MORE_NOTICES: Dialects = Dialects {
    sqlite: "
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql,
    'CHECK (purpose IN (''confirm'', ''welcome'', ''sign-in'', ''new-address'', ''old-address'', ''erased''))', '')
    WHERE type = 'table' AND name = 'flows';
PRAGMA writable_schema = RESET",
    postgres: "ALTER TABLE flows DROP CONSTRAINT flows_purpose_check",
};

/// What was bought, and what is still to be asked of the payment provider or done there.
const BILLING: &str = "
ALTER TABLE memberships RENAME TO memberships_before;
CREATE TABLE memberships (
    -- The provider's agreement; for what an editor granted, the subscriber.
    id TEXT PRIMARY KEY,
    -- NULL: its reader was erased, or the provider knows no address.
    subscriber TEXT REFERENCES subscribers (id),
    state TEXT NOT NULL CHECK (state IN ('granted', 'trial', 'active', 'past-due', 'cancelled', 'ended')),
    began_at BIGINT NOT NULL,
    reads_until BIGINT NOT NULL,
    -- Empty: everything is opened.
    plan TEXT NOT NULL DEFAULT '',
    customer TEXT,
    amount BIGINT,
    currency TEXT,
    every TEXT,
    paid_until BIGINT,
    renews_at BIGINT,
    ends_at BIGINT
);
CREATE INDEX memberships_by_subscriber ON memberships (subscriber, reads_until);
CREATE INDEX memberships_by_customer ON memberships (customer);
INSERT INTO memberships (id, subscriber, state, began_at, reads_until)
    SELECT subscriber, subscriber, 'granted', granted_at, ends_at FROM memberships_before;
DROP TABLE memberships_before;

-- What a plan opens, as the settings said last; none: everything.
CREATE TABLE openings (
    plan TEXT NOT NULL,
    newsletter TEXT NOT NULL,
    PRIMARY KEY (plan, newsletter)
);

CREATE TABLE customers (
    id TEXT PRIMARY KEY,
    -- NULL: erased. The row stays, so that later news make nobody of them again.
    subscriber TEXT REFERENCES subscribers (id),
    created_at BIGINT NOT NULL
);
CREATE INDEX customers_by_subscriber ON customers (subscriber, created_at);

CREATE TABLE invoices (
    id TEXT PRIMARY KEY,
    membership TEXT NOT NULL REFERENCES memberships (id),
    at BIGINT NOT NULL,
    amount BIGINT NOT NULL,
    given_back BIGINT NOT NULL,
    currency TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'paid', 'void', 'given-back', 'disputed')),
    paid_at BIGINT,
    attempts BIGINT NOT NULL
);
CREATE INDEX invoices_by_membership ON invoices (membership, at);
CREATE INDEX invoices_by_payment ON invoices (paid_at) WHERE paid_at IS NOT NULL;

-- Which of the provider's events were heard: each is handled once.
CREATE TABLE provider_events (
    id TEXT PRIMARY KEY,
    at BIGINT NOT NULL
);
CREATE INDEX provider_events_by_age ON provider_events (at);

-- What is to be asked of the provider, or done there: a kind of errand and the id of what it is about.
CREATE TABLE errands (
    id TEXT PRIMARY KEY,
    -- Counts what was heard of it, so that what is heard during an errand begins another.
    heard BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    tries BIGINT NOT NULL DEFAULT 0,
    lease TEXT,
    leased_until BIGINT
);
CREATE INDEX errands_due ON errands (due_at)
";

/// Who reads what is paid for; and a mail for each viewer who reads more than the one before.
const MEMBERSHIPS: &str = "
CREATE TABLE memberships (
    subscriber TEXT PRIMARY KEY REFERENCES subscribers (id),
    granted_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL
);

DROP INDEX IF EXISTS deliveries_by_subscription;

ALTER TABLE issue_bodies RENAME TO issue_bodies_before;
CREATE TABLE issue_bodies (
    issue TEXT NOT NULL REFERENCES issues (id),
    viewer TEXT NOT NULL,
    html TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (issue, viewer)
);
INSERT INTO issue_bodies SELECT issue, viewer, html, text FROM issue_bodies_before;
DROP TABLE issue_bodies_before
";

const FIRST: &str = "
CREATE TABLE facts (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- People and what they agreed to -----------------------------------------------------------------------------------

CREATE TABLE subscribers (
    id TEXT PRIMARY KEY,
    email TEXT NOT NULL,
    email_key TEXT NOT NULL UNIQUE,
    name TEXT,
    time_zone TEXT,
    language TEXT,
    tags TEXT,
    created_at BIGINT NOT NULL
);

CREATE TABLE newsletters (
    id TEXT PRIMARY KEY,
    first_seen_at BIGINT NOT NULL,
    sequence BIGINT NOT NULL DEFAULT 0,
    largest_audience BIGINT
);

CREATE TABLE subscriptions (
    id TEXT PRIMARY KEY,
    subscriber TEXT NOT NULL REFERENCES subscribers (id),
    newsletter TEXT NOT NULL REFERENCES newsletters (id),
    cadence TEXT NOT NULL CHECK (cadence IN ('instant', 'daily', 'weekly')),
    state TEXT NOT NULL CHECK (state IN ('pending', 'active', 'ended')),
    -- For digests, what their hour is read from; see model::Rhythm. Empty for instant readers.
    rhythm TEXT NOT NULL DEFAULT '',
    -- Tags, sorted, one a line; empty: all.
    topics TEXT NOT NULL DEFAULT '',
    paused_until BIGINT,
    -- After the next digest, or the slot at which there is none, the cadence becomes this one.
    returns_to TEXT CHECK (returns_to IN ('instant')),
    covered_to BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    activated_at BIGINT,
    ended_at BIGINT,
    UNIQUE (subscriber, newsletter)
);
CREATE INDEX subscriptions_by_newsletter ON subscriptions (newsletter, id);
-- Instant readers in the order of their chunks; digest readers by what they are owed; those who change after a digest.
CREATE INDEX subscriptions_at_once ON subscriptions (newsletter, id) WHERE cadence = 'instant' AND state = 'active';
CREATE INDEX subscriptions_in_rhythm ON subscriptions (newsletter, rhythm, topics, covered_to, paused_until, state)
    WHERE rhythm <> '' AND state = 'active';
CREATE INDEX subscriptions_returning ON subscriptions (newsletter, rhythm) WHERE returns_to IS NOT NULL;

-- The rhythms that digest readers have, so that nobody has to look through all readers for them.
CREATE TABLE rhythms (
    newsletter TEXT NOT NULL REFERENCES newsletters (id),
    rhythm TEXT NOT NULL,
    cadence TEXT NOT NULL CHECK (cadence IN ('daily', 'weekly')),
    -- The last slot that had its run; at first, when the rhythm was first chosen.
    slot_at BIGINT NOT NULL,
    PRIMARY KEY (newsletter, rhythm)
);

CREATE TABLE consents (
    id TEXT PRIMARY KEY,
    subscriber TEXT NOT NULL REFERENCES subscribers (id),
    newsletter TEXT NOT NULL,
    event TEXT NOT NULL CHECK (event IN ('confirmed', 'left', 'undone', 'imported', 'changed')),
    source TEXT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX consents_by_subscriber ON consents (subscriber, at);

CREATE TABLE suppressions (
    email_key TEXT PRIMARY KEY,
    reason TEXT NOT NULL CHECK (reason IN ('hard-bounce', 'complaint', 'request')),
    at BIGINT NOT NULL
);

CREATE TABLE flows (
    id TEXT PRIMARY KEY,
    purpose TEXT NOT NULL
        CHECK (purpose IN ('confirm', 'welcome', 'sign-in', 'new-address', 'old-address', 'erased')),
    subscriber TEXT REFERENCES subscribers (id),
    email TEXT NOT NULL,
    email_key TEXT NOT NULL,
    token_hash TEXT NOT NULL UNIQUE,
    payload TEXT NOT NULL,
    -- The language of the page on which somebody asked.
    language TEXT NOT NULL,
    -- For signing in: the typed code, the browser that asked, and how many wrong codes there were.
    code_hash TEXT,
    browser_hash TEXT,
    tries BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT
);
CREATE INDEX flows_by_email ON flows (email_key, created_at);
CREATE INDEX flows_by_browser ON flows (browser_hash, created_at) WHERE browser_hash IS NOT NULL;
CREATE INDEX flows_by_age ON flows (purpose, created_at);

CREATE TABLE sessions (
    id_hash TEXT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    subscriber TEXT NOT NULL REFERENCES subscribers (id),
    browser TEXT NOT NULL,
    signed_in_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_by_subscriber ON sessions (subscriber, signed_in_at);
CREATE INDEX sessions_by_end ON sessions (expires_at);

-- What happened to accounts: appended, never changed, without addresses and tokens.
CREATE TABLE audit (
    id TEXT PRIMARY KEY,
    at BIGINT NOT NULL,
    event TEXT NOT NULL,
    subscriber TEXT,
    who TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX audit_by_subscriber ON audit (subscriber, at);
CREATE INDEX audit_by_age ON audit (at);

CREATE TABLE limit_events (
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX limit_events_by_key ON limit_events (scope, key, at);

-- What is owed, and what went out ----------------------------------------------------------------------------------

CREATE TABLE ledger (
    newsletter TEXT NOT NULL REFERENCES newsletters (id),
    article TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('before-start', 'late', 'owed', 'withdrawn')),
    sequence BIGINT,
    instant TEXT NOT NULL CHECK (instant IN ('none', 'waiting', 'sealed', 'skipped')),
    published_at BIGINT NOT NULL,
    first_seen_at BIGINT NOT NULL,
    PRIMARY KEY (newsletter, article),
    UNIQUE (newsletter, sequence),
    CHECK ((state = 'owed') = (sequence IS NOT NULL))
);

CREATE TABLE plans (
    id TEXT PRIMARY KEY,
    recipients BIGINT NOT NULL,
    shown_at BIGINT NOT NULL,
    approved_at BIGINT,
    approved_for BIGINT
);

CREATE TABLE issues (
    id TEXT PRIMARY KEY,
    newsletter TEXT NOT NULL REFERENCES newsletters (id),
    kind TEXT NOT NULL CHECK (kind IN ('instant', 'digest')),
    article TEXT,
    edition BIGINT,
    replaces TEXT REFERENCES issues (id),
    cadence TEXT NOT NULL CHECK (cadence IN ('instant', 'daily', 'weekly')),
    -- An instant issue's tags, one a line, for the topics that readers chose.
    tags TEXT NOT NULL,
    -- A digest's run, and which of the run's issues it is.
    slot_at BIGINT,
    part BIGINT,
    covers_to BIGINT NOT NULL,
    plan TEXT NOT NULL,
    subject TEXT NOT NULL,
    from_name TEXT NOT NULL,
    from_email TEXT NOT NULL,
    reply_to TEXT,
    list_title TEXT NOT NULL,
    base_url TEXT NOT NULL,
    web_page TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('sealing', 'sealed', 'sending', 'paused', 'finished', 'cancelled')),
    cursor TEXT NOT NULL DEFAULT '',
    written BIGINT NOT NULL DEFAULT 0,
    send_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    started_at BIGINT,
    finished_at BIGINT,
    UNIQUE (newsletter, article, edition),
    UNIQUE (newsletter, cadence, slot_at, part),
    CHECK ((kind = 'instant') = (article IS NOT NULL AND edition IS NOT NULL)),
    CHECK ((kind = 'digest') = (slot_at IS NOT NULL AND part IS NOT NULL))
);
CREATE INDEX issues_by_state ON issues (state, send_at);
CREATE INDEX issues_by_newsletter ON issues (newsletter, created_at);

CREATE TABLE issue_articles (
    issue TEXT NOT NULL REFERENCES issues (id),
    position BIGINT NOT NULL,
    article TEXT NOT NULL,
    title TEXT NOT NULL,
    PRIMARY KEY (issue, position)
);
CREATE INDEX issue_articles_by_article ON issue_articles (article);

-- The readers of a digest whose deliveries are still to be written: a group goes when it is done.
CREATE TABLE issue_groups (
    issue TEXT NOT NULL REFERENCES issues (id),
    rhythm TEXT NOT NULL,
    topics TEXT NOT NULL,
    covered_to BIGINT NOT NULL,
    PRIMARY KEY (issue, rhythm, topics, covered_to)
);

CREATE TABLE issue_bodies (
    issue TEXT NOT NULL REFERENCES issues (id),
    viewer TEXT NOT NULL CHECK (viewer IN ('anybody', 'subscriber')),
    html TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (issue, viewer)
);

CREATE TABLE digest_runs (
    newsletter TEXT NOT NULL REFERENCES newsletters (id),
    cadence TEXT NOT NULL CHECK (cadence IN ('daily', 'weekly')),
    slot_at BIGINT NOT NULL,
    covers_to BIGINT NOT NULL,
    -- How many issues were sealed so far: nothing is sealed from a plan that did not know of all of them.
    issues BIGINT NOT NULL DEFAULT 0,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'sealed', 'empty', 'missed', 'merged')),
    PRIMARY KEY (newsletter, cadence, slot_at)
);

CREATE TABLE deliveries (
    id TEXT PRIMARY KEY,
    lane TEXT NOT NULL CHECK (lane IN ('notice', 'issue')),
    issue TEXT REFERENCES issues (id),
    subscriber TEXT REFERENCES subscribers (id),
    subscription TEXT REFERENCES subscriptions (id),
    article TEXT,
    edition BIGINT,
    -- What a digest's reader was served to before it, and by which rhythm: put back when the issue is cancelled.
    covered_from BIGINT,
    rhythm TEXT,
    flow TEXT REFERENCES flows (id),
    email TEXT NOT NULL,
    email_key TEXT NOT NULL,
    state TEXT NOT NULL
        CHECK (state IN ('queued', 'sending', 'sent', 'deferred', 'failed', 'suppressed', 'unknown')),
    reason TEXT,
    due_at BIGINT,
    first_due_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0,
    drops BIGINT NOT NULL DEFAULT 0,
    lease_owner TEXT,
    lease_until BIGINT,
    epoch BIGINT NOT NULL DEFAULT 0,
    noted_at BIGINT,
    may_have_arrived BIGINT NOT NULL DEFAULT 0,
    date_at BIGINT,
    key_id TEXT,
    message_id TEXT,
    viewer TEXT,
    finished_at BIGINT,
    UNIQUE (issue, subscriber),
    CHECK ((lane = 'issue') = (issue IS NOT NULL AND subscriber IS NOT NULL AND subscription IS NOT NULL)),
    CHECK ((lane = 'notice') = (flow IS NOT NULL))
);
-- An instant issue's, so that nobody gets an article twice. Whoever asks for a reader's digests goes issue by issue: an
-- index by reader would cost a page written for each reader of each digest.
CREATE UNIQUE INDEX deliveries_of_articles ON deliveries (subscriber, article, edition) WHERE article IS NOT NULL;
CREATE INDEX deliveries_due ON deliveries (issue, due_at) WHERE state IN ('queued', 'deferred', 'unknown');
CREATE INDEX deliveries_leased ON deliveries (lease_owner, lease_until) WHERE state = 'sending';
CREATE INDEX deliveries_by_issue ON deliveries (issue, state);
CREATE INDEX deliveries_by_flow ON deliveries (flow) WHERE flow IS NOT NULL;

CREATE TABLE attempts (
    delivery TEXT NOT NULL REFERENCES deliveries (id),
    epoch BIGINT NOT NULL,
    at BIGINT NOT NULL,
    relay TEXT NOT NULL,
    code BIGINT,
    enhanced TEXT,
    text TEXT NOT NULL,
    PRIMARY KEY (delivery, epoch)
)
";
