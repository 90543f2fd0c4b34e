-- Discord knows a message to a channel again for some minutes. When one of which nobody knows whether it arrived was tried
-- first says how long it may be tried again, by whichever process.
ALTER TABLE outbox ADD COLUMN started_at BIGINT; -- is_started: when the POST that may have reached Discord began; else NULL
-- A message that says who caused it is withdrawn while it waits when they delete their data. It is found by what keys the
-- change it tells of, which is not always the interaction it was saved by: a wizard's is the one that opened it.
ALTER TABLE outbox ADD COLUMN effect_id BIGINT; -- messages that name their author; else NULL
CREATE INDEX outbox_effect ON outbox (effect_id) WHERE effect_id IS NOT NULL;
