#include "services/secret.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

static_assert(SERVER_KEY_BYTES == crypto_kdf_KEYBYTES, "the master key is a KDF key");
static_assert(SERVER_KEY_BYTES == crypto_generichash_BYTES, "the secret is hashed to the key");
static_assert(CHANCE_KEY_BYTES == SERVER_KEY_BYTES, "one size of key");
static_assert(ERASURE_KEY_BYTES == SERVER_KEY_BYTES, "one size of key");

/* Purposes of derived keys. Numbers are for ever: changing one changes every outcome, or loses what
 * was kept under the key. */
enum key_purpose { KEY_CHANCE = 1, KEY_OUTBOX = 2, KEY_ERASURE = 3 };

static const char kdf_context[crypto_kdf_CONTEXTBYTES + 1] = "bronxbot";

static int stored_secret(struct db *db, struct db_rows **rows, struct err *err)
{
    char fresh[2 * SERVER_KEY_BYTES + 1];
    unsigned char bytes[SERVER_KEY_BYTES];
    randombytes_buf(bytes, sizeof(bytes));
    sodium_bin2hex(fresh, sizeof(fresh), bytes, sizeof(bytes));
    struct db_statement keep = {
        .sql = "INSERT INTO bot_state (key, value) VALUES ('server_secret', $1) "
               "ON CONFLICT (key) DO NOTHING",
        .parameters = { DB_TEXT(str_from(fresh)) },
        .parameter_count = 1,
    };
    struct db_statement read = {
        .sql = "SELECT value FROM bot_state WHERE key = 'server_secret'",
        .expect = DB_ONE_ROW,
    };
    int result = db_query(db, &keep, NULL, err);
    if (result == 0)
        result = db_query(db, &read, rows, err);
    sodium_memzero(fresh, sizeof(fresh));
    sodium_memzero(bytes, sizeof(bytes));
    return result;
}

int server_key_load(struct db *db, const char *configured, unsigned char key[SERVER_KEY_BYTES],
                    struct err *err)
{
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    struct str_view secret = str_from(configured);
    if (secret.length == 0) {
        int result = stored_secret(db, &rows, err);
        if (result != 0)
            return err_wrap(err, "loading the server secret");
        secret = db_rows_text(rows, 0, 0);
    }
    crypto_generichash(key, SERVER_KEY_BYTES, (const unsigned char *)secret.data, secret.length,
                       NULL, 0);
    return 0;
}

void outbox_key_derive(unsigned char outbox_key[SERVER_KEY_BYTES],
                       const unsigned char key[SERVER_KEY_BYTES])
{
    crypto_kdf_derive_from_key(outbox_key, SERVER_KEY_BYTES, KEY_OUTBOX, kdf_context, key);
}

void chance_init(struct chance *chance, const unsigned char key[SERVER_KEY_BYTES])
{
    crypto_kdf_derive_from_key(chance->key, sizeof(chance->key), KEY_CHANCE, kdf_context, key);
}

void erasure_key_derive(struct erasure_key *erasure_key, const unsigned char key[SERVER_KEY_BYTES])
{
    crypto_kdf_derive_from_key(erasure_key->bytes, sizeof(erasure_key->bytes), KEY_ERASURE,
                               kdf_context, key);
}
