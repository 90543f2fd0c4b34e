/* The server's secret and the keys derived from it, one for each purpose. */
#ifndef SERVICES_SECRET_H
#define SERVICES_SECRET_H

#include "bronx/chance.h"
#include "bronx/db.h"
#include "bronx/erasure.h"

#define SERVER_KEY_BYTES 32

/* The master key: from `configured` (setting SERVER_SECRET) or, when that is empty, from the secret
 * kept in the database, which is made on first use. */
int server_key_load(struct db *db, const char *configured, unsigned char key[SERVER_KEY_BYTES],
                    struct err *err) MUST_CHECK;

/* The key that seals tokens and messages of the outbox. */
void outbox_key_derive(unsigned char outbox_key[SERVER_KEY_BYTES],
                       const unsigned char key[SERVER_KEY_BYTES]);

void chance_init(struct chance *chance, const unsigned char key[SERVER_KEY_BYTES]);

/* The key of the fingerprints of those who deleted their data. */
void erasure_key_derive(struct erasure_key *erasure_key, const unsigned char key[SERVER_KEY_BYTES]);

#endif
