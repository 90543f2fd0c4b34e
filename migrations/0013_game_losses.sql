-- What somebody has lost in games since their day began, by their own time zone: stakes count when they are placed, and what
-- a game pays out is taken off again. It keeps their daily loss limit; personal data of user_id. One row for each person:
-- the first bet after ends_at begins a new day. A day that has begun keeps its end, so that a change of the time zone is no
-- way to a new one.
CREATE TABLE game_losses (
    user_id  BIGINT NOT NULL PRIMARY KEY,
    began_at BIGINT NOT NULL, -- UTC, milliseconds
    ends_at  BIGINT NOT NULL, -- UTC, milliseconds
    lost     BIGINT NOT NULL, -- coins; below 0: won
    CONSTRAINT game_losses_day CHECK (began_at < ends_at)
);
