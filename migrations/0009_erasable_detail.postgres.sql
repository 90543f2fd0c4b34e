-- What has been posted stays as it was posted. An erased user's grant loses its owner, and what was
-- written beside the user's movements is erased; nothing else may change.
DROP TRIGGER ledger_entry_stays ON ledger_entry;

CREATE TRIGGER ledger_entry_stays BEFORE UPDATE ON ledger_entry
    FOR EACH ROW
    WHEN (NOT (NEW.interaction_id = OLD.interaction_id AND NEW.operation = OLD.operation
               AND NEW.guild_id IS NOT DISTINCT FROM OLD.guild_id
               AND NEW.created_at = OLD.created_at
               AND (NEW.detail IS NOT DISTINCT FROM OLD.detail OR NEW.detail IS NULL)))
    EXECUTE FUNCTION ledger_is_append_only();
