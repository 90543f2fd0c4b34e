-- A fourth kind of job: a message the bot sends to a channel by its own token. Its time is a day, and no message waits
-- for another that has the same interaction.
ALTER TABLE outbox DROP CONSTRAINT outbox_kind;
ALTER TABLE outbox DROP CONSTRAINT outbox_subject;
ALTER TABLE outbox ADD CONSTRAINT outbox_kind CHECK (kind IN ('run', 'edit', 'follow_up', 'channel_message'));
ALTER TABLE outbox ADD CONSTRAINT outbox_subject CHECK ((kind IN ('follow_up', 'channel_message')) = (subject IS NULL));
