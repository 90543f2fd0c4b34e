-- Who accepted or declined which terms: one row per decision, kept for ever.
CREATE TABLE tos_decision (
    interaction_id BIGINT NOT NULL PRIMARY KEY,
    user_id        BIGINT NOT NULL,
    version        TEXT   NOT NULL,
    text_sha256    TEXT   NOT NULL, -- of the text that was shown
    decision       TEXT   NOT NULL,
    decided_at     BIGINT NOT NULL, -- UTC, milliseconds
    guild_id       BIGINT,          -- where; NULL in a DM
    locale         TEXT,
    CONSTRAINT tos_decision_word CHECK (decision IN ('accepted', 'declined'))
);

-- Accepting a version twice is one acceptance.
CREATE UNIQUE INDEX tos_accepted_once ON tos_decision (user_id, version) WHERE decision = 'accepted';
CREATE INDEX tos_decision_user ON tos_decision (user_id);

-- Commands the terms blocked, run after acceptance. Kept for some days.
CREATE TABLE tos_blocked (
    interaction_id BIGINT NOT NULL PRIMARY KEY,
    user_id        BIGINT NOT NULL,
    data           TEXT   NOT NULL, -- the command as Discord sent it, JSON
    expires_at     BIGINT NOT NULL  -- UTC, milliseconds
);
CREATE INDEX tos_blocked_expiry ON tos_blocked (expires_at);
