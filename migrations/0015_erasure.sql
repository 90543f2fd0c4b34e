-- That somebody deleted their data: deleting and beginning anew must not give the welcome bonus again, nor end a cooldown or
-- a break from games. Nobody's id is here, only a hash of it under a key of this bot's secret, and the row goes when it has
-- served. The acceptance of terms asks it in its own transaction.
CREATE TABLE erasure (
    fingerprint  BLOB   NOT NULL PRIMARY KEY, -- 32 bytes
    erased_at    BIGINT NOT NULL,             -- UTC, milliseconds
    closed_until BIGINT NOT NULL              -- UTC, milliseconds: the terms can't be accepted before
);
CREATE INDEX erasure_age ON erasure (erased_at);
