-- What somebody has answered in a wizard and not saved yet.
--
--      open <-----> conflict      saved by somebody else meanwhile; "See what is there now" goes back
--       | \           |
--       |  +-------+--+--> cancelled
--       v          ^
--     saving ------+-----> saved     `saving` is claimed before the settings are written: whoever finds it
--                                    finishes it
--
-- What is open at expires_at is over; everything that old goes when the next draft is opened.
CREATE TABLE wizard_draft (
    id             BIGINT NOT NULL PRIMARY KEY, -- the interaction that opened it
    wizard         TEXT   NOT NULL,             -- 'server'
    user_id        BIGINT NOT NULL,             -- who may click
    guild_id       BIGINT NOT NULL,             -- where; 0 in a direct message
    state          TEXT   NOT NULL,
    page           BIGINT NOT NULL, -- a step from 0; as many as there are steps: the review
    version        BIGINT NOT NULL, -- each click raises it
    interaction_id BIGINT NOT NULL, -- the last click: its replay gets the same answer
    base_revision  BIGINT NOT NULL, -- what was in force when it was opened
    base           TEXT   NOT NULL, -- lines "key=value"
    answers        TEXT   NOT NULL, -- lines of what shall change
    mistakes       TEXT   NOT NULL, -- lines of what was typed and is not possible
    expires_at     BIGINT NOT NULL, -- UTC, milliseconds
    CONSTRAINT wizard_draft_state CHECK (state IN ('open', 'saving', 'conflict', 'saved', 'cancelled')),
    CONSTRAINT wizard_draft_page CHECK (page >= 0)
);

CREATE INDEX wizard_draft_expiry ON wizard_draft (expires_at);
