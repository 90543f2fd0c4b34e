/* Naming the peer of a request. No state; runs on the HTTP threads. */
#include "http/peer.h"

#include <arpa/inet.h>
#include <string.h>

#define MAPPED_PREFIX_BYTES 12 /* of ::ffff:a.b.c.d */
#define NETWORK_BYTES       8  /* of an IPv6 address: its /64 */

static const unsigned char mapped_prefix[MAPPED_PREFIX_BYTES] = { [10] = 0xff, [11] = 0xff };

static void keep_network(struct peer *peer)
{
    if (memcmp(peer->bytes, mapped_prefix, sizeof(mapped_prefix)) != 0)
        memset(peer->bytes + NETWORK_BYTES, 0, sizeof(peer->bytes) - NETWORK_BYTES);
}

static bool parse_address(struct str_view text, struct peer *peer)
{
    char address[INET6_ADDRSTRLEN];
    text = str_trim(text);
    if (text.length == 0 || text.length >= sizeof(address))
        return false;
    memcpy(address, text.data, text.length);
    address[text.length] = '\0';
    if (inet_pton(AF_INET6, address, peer->bytes) == 1) {
        keep_network(peer);
        return true;
    }
    memcpy(peer->bytes, mapped_prefix, sizeof(mapped_prefix));
    return inet_pton(AF_INET, address, peer->bytes + MAPPED_PREFIX_BYTES) == 1;
}

/* The hop the proxy before us added; those in front of it are what its client claims. */
static struct str_view last_hop(struct str_view list)
{
    const char *comma = list.length > 0 ? memrchr(list.data, ',', list.length) : NULL;
    if (!comma)
        return list;
    size_t skipped = (size_t)(comma - list.data) + 1;
    return (struct str_view){ list.data + skipped, list.length - skipped };
}

bool peer_find(const struct http_address *remote, const struct peer_claims *claims,
               struct peer *peer)
{
    if (!remote->is_local) {
        memcpy(peer->bytes, remote->bytes, sizeof(peer->bytes));
        keep_network(peer);
        return true;
    }
    struct peer forwarded = { 0 };
    bool has_real = claims->real_ip.data != NULL,
         has_forwarded = claims->forwarded_for.data != NULL;
    if (claims->is_repeated || (!has_real && !has_forwarded))
        return false;
    if (has_real && !parse_address(claims->real_ip, peer))
        return false;
    if (has_forwarded && !parse_address(last_hop(claims->forwarded_for), &forwarded))
        return false;
    if (!has_real)
        *peer = forwarded;
    return !has_forwarded || memcmp(peer->bytes, forwarded.bytes, sizeof(peer->bytes)) == 0;
}

bool peer_of_request(const struct http_exchange *exchange, struct peer *peer)
{
    struct http_address remote;
    struct peer_claims claims = { 0 };
    bool is_real_repeated = false, is_forwarded_repeated = false;
    http_remote(exchange, &remote);
    if (remote.is_local) {
        claims.real_ip = http_header(exchange, "X-Real-IP", &is_real_repeated);
        claims.forwarded_for = http_header(exchange, "X-Forwarded-For", &is_forwarded_repeated);
        claims.is_repeated = is_real_repeated || is_forwarded_repeated;
    }
    return peer_find(&remote, &claims, peer);
}
