-- What has been posted stays as it was posted.
CREATE TRIGGER ledger_entry_keeps BEFORE DELETE ON ledger_entry
BEGIN
    SELECT RAISE(ABORT, 'ledger entries are append-only');
END;

-- An erased user's grant loses its owner; nothing else may change.
CREATE TRIGGER ledger_entry_stays BEFORE UPDATE ON ledger_entry
WHEN NOT (NEW.interaction_id = OLD.interaction_id AND NEW.operation = OLD.operation
          AND NEW.guild_id IS OLD.guild_id AND NEW.detail IS OLD.detail
          AND NEW.created_at = OLD.created_at)
BEGIN
    SELECT RAISE(ABORT, 'ledger entries are append-only');
END;

CREATE TRIGGER ledger_transfer_keeps BEFORE DELETE ON ledger_transfer
BEGIN
    SELECT RAISE(ABORT, 'ledger transfers are append-only');
END;

CREATE TRIGGER ledger_transfer_stays BEFORE UPDATE ON ledger_transfer
BEGIN
    SELECT RAISE(ABORT, 'ledger transfers are append-only');
END;
