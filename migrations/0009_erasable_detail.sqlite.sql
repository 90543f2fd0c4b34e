-- What has been posted stays as it was posted. An erased user's grant loses its owner, and what was
-- written beside the user's movements is erased; nothing else may change.
DROP TRIGGER ledger_entry_stays;

CREATE TRIGGER ledger_entry_stays BEFORE UPDATE ON ledger_entry
WHEN NOT (NEW.interaction_id = OLD.interaction_id AND NEW.operation = OLD.operation
          AND NEW.guild_id IS OLD.guild_id AND NEW.created_at = OLD.created_at
          AND (NEW.detail IS OLD.detail OR NEW.detail IS NULL))
BEGIN
    SELECT RAISE(ABORT, 'ledger entries are append-only');
END;
