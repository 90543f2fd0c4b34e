-- Work that one process of all does: whoever holds the row's duty. It is anybody's when its time is over or its
-- instance is gone. Each new holder gets a higher number, and writes only where its own is still the row's: one that
-- stood still and comes back changes nothing.
CREATE TABLE duty (
    name        TEXT   NOT NULL PRIMARY KEY, -- 'sweep'
    instance_id BIGINT NOT NULL,             -- of `instance`; 0: nobody's yet
    number      BIGINT NOT NULL,             -- how many have held it
    held_until  BIGINT NOT NULL              -- UTC, milliseconds
);
