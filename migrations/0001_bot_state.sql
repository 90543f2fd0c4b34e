-- What the bot itself must remember between starts: one row per fact ("server_secret").
CREATE TABLE bot_state (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
