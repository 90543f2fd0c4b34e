-- What is still to be sent to Discord, and by whom.

-- The processes that are alive: whoever lets its lease run out is dead, and its jobs are anybody's.
CREATE TABLE instance (
    id          BIGINT NOT NULL PRIMARY KEY, -- random, new at each start
    role        TEXT   NOT NULL,             -- 'serve', 'worker'
    host        TEXT   NOT NULL,
    process_id  BIGINT NOT NULL,
    version     TEXT   NOT NULL,
    started_at  BIGINT NOT NULL, -- UTC, milliseconds
    lease_until BIGINT NOT NULL
);

-- A job is a deferred command to be run ('run'; its reply becomes an edit or a follow-up), the wanted state of
-- a message ('edit': one row for each message, whatever token reaches it), or a follow-up.
--
--      queued <-----------------+
--        |   \                  | handed back, or its owner died
--        |    +---> leased -----+
--        |            |
--        +------------+--> done      Discord has it
--                     +--> expired   the token's 15 minutes are over
--                     +--> dead      given up for `reason`; an operator may queue it again
--
-- An edit row comes back from each end when the message is to be changed once more.
CREATE TABLE outbox (
    id             BIGINT  NOT NULL PRIMARY KEY, -- random
    kind           TEXT    NOT NULL,
    subject        BIGINT, -- run: the interaction; edit: the message; follow-up: NULL
    interaction_id BIGINT  NOT NULL, -- whose token it uses
    application_id BIGINT  NOT NULL,
    guild_id       BIGINT  NOT NULL, -- 0 in a DM
    request_id     TEXT    NOT NULL, -- the id in the logs
    version        BIGINT  NOT NULL, -- edit: which of its wanted states this is
    is_final       INTEGER NOT NULL, -- edit: no animation frame comes after it
    is_reposted    INTEGER NOT NULL, -- a message that was deleted is sent anew
    is_started     INTEGER NOT NULL, -- a POST may have reached Discord
    content        BLOB,             -- sealed: token and message, or token and interaction; NULL once it is over
    state          TEXT    NOT NULL,
    reason         TEXT,             -- dead: why
    tries          BIGINT  NOT NULL,
    owner          BIGINT,           -- leased: by which instance
    available_at   BIGINT  NOT NULL, -- queued: not before. All times UTC, milliseconds
    expires_at     BIGINT  NOT NULL, -- when the token ends
    created_at     BIGINT  NOT NULL,
    changed_at     BIGINT  NOT NULL, -- when its state changed last
    sent_at        BIGINT,           -- edit: when Discord last took one of its states
    CONSTRAINT outbox_once UNIQUE (kind, subject),
    CONSTRAINT outbox_kind CHECK (kind IN ('run', 'edit', 'follow_up')),
    CONSTRAINT outbox_subject CHECK ((kind = 'follow_up') = (subject IS NULL)),
    CONSTRAINT outbox_state CHECK (state IN ('queued', 'leased', 'done', 'expired', 'dead')),
    CONSTRAINT outbox_leased_by_someone CHECK ((state = 'leased') = (owner IS NOT NULL)),
    CONSTRAINT outbox_dead_for_a_reason CHECK ((state = 'dead') = (reason IS NOT NULL)),
    CONSTRAINT outbox_waits_with_content CHECK (state NOT IN ('queued', 'leased') OR content IS NOT NULL),
    CONSTRAINT outbox_flags CHECK (is_final IN (0, 1) AND is_reposted IN (0, 1) AND is_started IN (0, 1))
);

CREATE INDEX outbox_waiting ON outbox (expires_at) WHERE state IN ('queued', 'leased');
CREATE INDEX outbox_interaction ON outbox (interaction_id);
