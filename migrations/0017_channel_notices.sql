-- Discord knows a message to a channel again for some minutes. When one of which nobody knows whether it arrived was tried
-- first says how long it may be tried again, by whichever process.
ALTER TABLE outbox ADD COLUMN started_at BIGINT; -- is_started: when the POST that may have reached Discord began; else NULL
-- A message that says who caused it is withdrawn while it waits when they delete their data.
ALTER TABLE outbox ADD COLUMN names_author INTEGER NOT NULL DEFAULT 0;
