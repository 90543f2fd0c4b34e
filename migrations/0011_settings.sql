-- What servers and people have set: one row for each who ever saved, "key=value" lines; what has
-- none is the default. A save names the revision it was made against and raises it by one: of two at once the second finds
-- another one. Readers go by the cache.
CREATE TABLE server_settings (
    guild_id BIGINT NOT NULL PRIMARY KEY,
    revision BIGINT NOT NULL, -- how often it was saved
    content  TEXT   NOT NULL,
    CONSTRAINT server_settings_revision CHECK (revision >= 1)
);

CREATE TABLE user_settings (
    user_id  BIGINT NOT NULL PRIMARY KEY,
    revision BIGINT NOT NULL,
    content  TEXT   NOT NULL,
    CONSTRAINT user_settings_revision CHECK (revision >= 1)
);

-- What each save changed, a row for each setting; the newest 500 of each server and person. interaction_id is what
-- saved: a replay of it finds itself here.
CREATE TABLE server_settings_change (
    guild_id       BIGINT NOT NULL,
    revision       BIGINT NOT NULL, -- that the change led to
    key            TEXT   NOT NULL,
    old_value      TEXT,            -- NULL: the default
    new_value      TEXT,
    changed_at     BIGINT NOT NULL, -- UTC, milliseconds
    changed_by     BIGINT,          -- user id; NULL: somebody whose data was deleted
    interaction_id BIGINT NOT NULL,
    PRIMARY KEY (guild_id, revision, key)
);
CREATE INDEX server_settings_change_by ON server_settings_change (changed_by);

CREATE TABLE user_settings_change (
    user_id        BIGINT NOT NULL, -- who also made the change
    revision       BIGINT NOT NULL,
    key            TEXT   NOT NULL,
    old_value      TEXT,
    new_value      TEXT,
    changed_at     BIGINT NOT NULL, -- UTC, milliseconds
    interaction_id BIGINT NOT NULL,
    PRIMARY KEY (user_id, revision, key)
);
