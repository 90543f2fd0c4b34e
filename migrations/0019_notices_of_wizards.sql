-- Changes of settings are keyed by what caused them, which is not always the interaction they were saved by: a wizard's by
-- the one that opened it. A message that names who made them is found by the same key.
ALTER TABLE outbox ADD COLUMN effect_id BIGINT; -- names_author: that interaction; else NULL
UPDATE outbox SET effect_id = interaction_id WHERE names_author = 1;
CREATE INDEX outbox_effect ON outbox (effect_id) WHERE effect_id IS NOT NULL;
