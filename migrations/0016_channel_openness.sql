-- What became of messages to a channel, newest first: the newest says whether the bot can post there.
CREATE INDEX outbox_channel_changed ON outbox (channel_id, changed_at) WHERE channel_id IS NOT NULL;
