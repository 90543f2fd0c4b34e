-- Who has authorised the application, as Discord's webhook events tell. Events come in any order and
-- repeatedly; every column but the key moves only forward in time, so the rows are the same whatever
-- the order, and duplicates change nothing. All times are Discord's: UTC, milliseconds.

-- Kept while authorised; personal data of user_id.
CREATE TABLE known_user (
    user_id          BIGINT NOT NULL PRIMARY KEY,
    authorized_at    BIGINT,  -- the latest authorisation; NULL: none was seen
    integration_type INTEGER, -- of that one: 0 to a server, 1 to the account; -1 not told
    scopes           TEXT,    -- of that one, separated by spaces
    deauthorized_at  BIGINT,  -- the latest deauthorisation; NULL: none was seen
    CONSTRAINT known_user_seen CHECK (authorized_at IS NOT NULL OR deauthorized_at IS NOT NULL),
    CONSTRAINT known_user_whole CHECK ((authorized_at IS NULL) = (scopes IS NULL)
                                       AND (authorized_at IS NULL) = (integration_type IS NULL))
);

-- Servers are only ever added: Discord sends no event when one removes the application.
CREATE TABLE known_guild (
    guild_id      BIGINT NOT NULL PRIMARY KEY,
    authorized_at BIGINT NOT NULL, -- the latest authorisation
    authorized_by BIGINT NOT NULL, -- user id
    scopes        TEXT   NOT NULL
);
