/* Whose request is this? A proxy in front makes all requests come from one address, so what it says
 * about its client counts instead - and only what it can be trusted with. */
#ifndef HTTP_PEER_H
#define HTTP_PEER_H

#include "http/server.h"

/* An address to count by: IPv4, or the /64 network of an IPv6 address, which is what one customer
 * of a provider gets: within it, addresses cost nothing. */
struct peer {
    unsigned char bytes[HTTP_ADDRESS_BYTES];
};

/* What a proxy says; absent headers are STR_NONE. */
struct peer_claims {
    struct str_view real_ip;       /* X-Real-IP */
    struct str_view forwarded_for; /* X-Forwarded-For */
    bool is_repeated;              /* one of them came several times */
};

/* False when this request can't be told from others: it came through a unix socket or loopback and
 * no header, or headers that disagree, say for whom. Somebody who is a stranger can write one of
 * the headers (a proxy that sets only the other passes it on), and must not be able to pass for
 * Discord. */
bool peer_find(const struct http_address *remote, const struct peer_claims *claims,
               struct peer *peer) MUST_CHECK;

/* peer_find for a request. */
bool peer_of_request(const struct http_exchange *exchange, struct peer *peer) MUST_CHECK;

#endif
