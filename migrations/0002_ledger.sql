-- All money, by double entry. An entry is one operation of one interaction; each of its transfers takes
-- an amount from one account and puts it into another, so the two legs of a transfer sum to zero by
-- construction. A user's balance is kept by the transaction that moves the money; house accounts have
-- none, because it would be the one row that every transaction has to lock.

CREATE TABLE account (
    id            BIGINT NOT NULL PRIMARY KEY, -- random: survives its owner's erasure
    owner_id      BIGINT NOT NULL,             -- user id; for house accounts their number
    kind          TEXT   NOT NULL,
    balance       BIGINT,
    balance_limit BIGINT,
    CONSTRAINT account_owner_kind UNIQUE (owner_id, kind),
    CONSTRAINT account_kind CHECK (kind IN ('wallet', 'bank', 'house')),
    CONSTRAINT account_house_has_no_balance CHECK ((kind = 'house') = (balance IS NULL)),
    CONSTRAINT account_not_overdrawn CHECK (balance >= 0),
    CONSTRAINT account_within_limit CHECK (balance <= balance_limit),
    CONSTRAINT account_balance_is_exact CHECK (balance <= 9007199254740991),
    CONSTRAINT account_bank_has_limit CHECK (kind <> 'bank' OR balance_limit IS NOT NULL)
);

INSERT INTO account (id, owner_id, kind, balance) VALUES
    (1, 1, 'house', NULL), -- rewards: where coins are minted
    (2, 2, 'house', NULL); -- fees: where coins are burnt

CREATE TABLE ledger_entry (
    interaction_id BIGINT NOT NULL,
    operation      TEXT   NOT NULL, -- 'pay', 'daily', 'tos_bonus'
    guild_id       BIGINT,          -- NULL in a DM
    grant_owner_id BIGINT,          -- one-time grants: to whom,
    grant_name     TEXT,            -- and which
    detail         TEXT,            -- facts for the receipt
    created_at     BIGINT NOT NULL, -- UTC, milliseconds
    PRIMARY KEY (interaction_id, operation),
    CONSTRAINT ledger_grant_once UNIQUE (grant_owner_id, grant_name),
    CONSTRAINT ledger_grant_whole CHECK ((grant_owner_id IS NULL) = (grant_name IS NULL))
);

CREATE TABLE ledger_transfer (
    interaction_id BIGINT  NOT NULL,
    operation      TEXT    NOT NULL,
    position       INTEGER NOT NULL,
    from_account   BIGINT  NOT NULL REFERENCES account (id),
    to_account     BIGINT  NOT NULL REFERENCES account (id),
    amount         BIGINT  NOT NULL,
    from_balance   BIGINT, -- afterwards; NULL for house accounts
    to_balance     BIGINT,
    PRIMARY KEY (interaction_id, operation, position),
    FOREIGN KEY (interaction_id, operation) REFERENCES ledger_entry (interaction_id, operation),
    CONSTRAINT ledger_amount_range CHECK (amount BETWEEN 1 AND 9007199254740991),
    CONSTRAINT ledger_two_accounts CHECK (from_account <> to_account)
);

-- Newest first for one account: snowflakes grow with time.
CREATE INDEX ledger_transfer_from ON ledger_transfer (from_account, interaction_id);
CREATE INDEX ledger_transfer_to ON ledger_transfer (to_account, interaction_id);

CREATE VIEW ledger_leg AS
    SELECT interaction_id, operation, position, from_account AS account_id, -amount AS amount,
           from_balance AS balance_after
    FROM ledger_transfer
    UNION ALL
    SELECT interaction_id, operation, position, to_account, amount, to_balance
    FROM ledger_transfer;
