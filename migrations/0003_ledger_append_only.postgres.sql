-- What SQLite calls bytes.
CREATE DOMAIN blob AS bytea;

-- What has been posted stays as it was posted.
CREATE FUNCTION ledger_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END;
$$;

CREATE TRIGGER ledger_entry_keeps BEFORE DELETE ON ledger_entry
    FOR EACH ROW EXECUTE FUNCTION ledger_is_append_only();

-- An erased user's grant loses its owner; nothing else may change.
CREATE TRIGGER ledger_entry_stays BEFORE UPDATE ON ledger_entry
    FOR EACH ROW
    WHEN (NOT (NEW.interaction_id = OLD.interaction_id AND NEW.operation = OLD.operation
               AND NEW.guild_id IS NOT DISTINCT FROM OLD.guild_id
               AND NEW.detail IS NOT DISTINCT FROM OLD.detail
               AND NEW.created_at = OLD.created_at))
    EXECUTE FUNCTION ledger_is_append_only();

CREATE TRIGGER ledger_transfer_keeps BEFORE DELETE ON ledger_transfer
    FOR EACH ROW EXECUTE FUNCTION ledger_is_append_only();

CREATE TRIGGER ledger_transfer_stays BEFORE UPDATE ON ledger_transfer
    FOR EACH ROW EXECUTE FUNCTION ledger_is_append_only();

-- TRUNCATE passes by the triggers for rows.
CREATE TRIGGER ledger_entry_is_not_emptied BEFORE TRUNCATE ON ledger_entry
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only();
CREATE TRIGGER ledger_transfer_is_not_emptied BEFORE TRUNCATE ON ledger_transfer
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only();
