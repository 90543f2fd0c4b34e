-- When a person may use a command again, and which interaction used it last: its replay may pass.
CREATE TABLE cooldown (
    user_id        BIGINT NOT NULL,
    command        TEXT   NOT NULL, -- 'daily', 'interest claim'
    ready_at       BIGINT NOT NULL, -- UTC, milliseconds
    interaction_id BIGINT NOT NULL,
    PRIMARY KEY (user_id, command)
);
