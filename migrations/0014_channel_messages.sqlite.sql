-- A fourth kind of job: a message the bot sends to a channel by its own token. Its time is a day; it waits for those
-- to the same channel, and not for what else its interaction caused. A constraint can only change with its table, which is made anew.
CREATE TABLE outbox_new (
    id             BIGINT  NOT NULL PRIMARY KEY, -- random
    kind           TEXT    NOT NULL,
    subject        BIGINT, -- run: the interaction; edit: the message; else NULL
    interaction_id BIGINT  NOT NULL, -- whose token it uses; channel message: who caused it
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
    expires_at     BIGINT  NOT NULL, -- when the token ends; channel message: when it is old news
    created_at     BIGINT  NOT NULL,
    changed_at     BIGINT  NOT NULL, -- when its state changed last
    sent_at        BIGINT,           -- edit: when Discord last took one of its states
    channel_id     BIGINT,           -- channel message: where it goes; else NULL
    CONSTRAINT outbox_once UNIQUE (kind, subject),
    CONSTRAINT outbox_kind CHECK (kind IN ('run', 'edit', 'follow_up', 'channel_message')),
    CONSTRAINT outbox_subject CHECK ((kind IN ('follow_up', 'channel_message')) = (subject IS NULL)),
    CONSTRAINT outbox_channel CHECK ((kind = 'channel_message') = (channel_id IS NOT NULL)),
    CONSTRAINT outbox_state CHECK (state IN ('queued', 'leased', 'done', 'expired', 'dead')),
    CONSTRAINT outbox_leased_by_someone CHECK ((state = 'leased') = (owner IS NOT NULL)),
    CONSTRAINT outbox_dead_for_a_reason CHECK ((state = 'dead') = (reason IS NOT NULL)),
    CONSTRAINT outbox_waits_with_content CHECK (state NOT IN ('queued', 'leased') OR content IS NOT NULL),
    CONSTRAINT outbox_flags CHECK (is_final IN (0, 1) AND is_reposted IN (0, 1) AND is_started IN (0, 1))
);

INSERT INTO outbox_new SELECT id, kind, subject, interaction_id, application_id, guild_id, request_id, version, is_final,
    is_reposted, is_started, content, state, reason, tries, owner, available_at, expires_at, created_at, changed_at,
    sent_at, NULL FROM outbox;
DROP TABLE outbox;
ALTER TABLE outbox_new RENAME TO outbox;

CREATE INDEX outbox_waiting ON outbox (expires_at) WHERE state IN ('queued', 'leased');
CREATE INDEX outbox_interaction ON outbox (interaction_id);
CREATE INDEX outbox_channel_waiting ON outbox (channel_id)
    WHERE channel_id IS NOT NULL AND state IN ('queued', 'leased');
