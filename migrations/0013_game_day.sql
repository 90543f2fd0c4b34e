-- What somebody has lost in games on one day of their own time zone: stakes count when they are placed, and what a
-- game pays out is taken off again. It keeps their daily loss limit; personal data of user_id.
CREATE TABLE game_day (
    user_id BIGINT NOT NULL,
    day     BIGINT NOT NULL, -- days since 1970-01-01
    lost    BIGINT NOT NULL, -- coins; below 0: won
    PRIMARY KEY (user_id, day)
);
