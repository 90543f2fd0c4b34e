-- A fourth kind of job: a message the bot sends to a channel by its own token. Its time is a day; it waits for those
-- to the same channel, and not for what else its interaction caused.
ALTER TABLE outbox ADD COLUMN channel_id BIGINT; -- channel message: where it goes; else NULL
ALTER TABLE outbox DROP CONSTRAINT outbox_kind;
ALTER TABLE outbox DROP CONSTRAINT outbox_subject;
ALTER TABLE outbox ADD CONSTRAINT outbox_kind CHECK (kind IN ('run', 'edit', 'follow_up', 'channel_message'));
ALTER TABLE outbox ADD CONSTRAINT outbox_subject CHECK ((kind IN ('follow_up', 'channel_message')) = (subject IS NULL));
ALTER TABLE outbox ADD CONSTRAINT outbox_channel CHECK ((kind = 'channel_message') = (channel_id IS NOT NULL));

CREATE INDEX outbox_channel_waiting ON outbox (channel_id)
    WHERE channel_id IS NOT NULL AND state IN ('queued', 'leased');
