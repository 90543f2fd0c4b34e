-- Days in a row on which somebody took the daily reward.
CREATE TABLE daily_streak (
    user_id    BIGINT  NOT NULL PRIMARY KEY,
    days       INTEGER NOT NULL,
    claimed_at BIGINT  NOT NULL, -- UTC, milliseconds
    CONSTRAINT daily_streak_days CHECK (days >= 1)
);

-- What somebody paid to others on one UTC day in one server (0: in DMs).
CREATE TABLE pay_day (
    user_id  BIGINT NOT NULL,
    guild_id BIGINT NOT NULL,
    day      BIGINT NOT NULL, -- days since 1970-01-01
    sent     BIGINT NOT NULL,
    PRIMARY KEY (user_id, guild_id, day),
    CONSTRAINT pay_day_sent CHECK (sent >= 0)
);
