/* Draws from a keyed hash. Pure functions. */
#include "bronx/chance.h"

#include "services/secret.h"

#include <sodium.h>
#include <string.h>

/* The attempt-th 64-bit word of one draw. */
static uint64_t word(const struct chance *chance, int64_t interaction_id, uint32_t draw,
                     uint32_t attempt)
{
    unsigned char message[16], hash[crypto_generichash_BYTES_MIN];
    for (int i = 0; i < 8; i++)
        message[i] = (unsigned char)((uint64_t)interaction_id >> (8 * i));
    for (int i = 0; i < 4; i++) {
        message[8 + i] = (unsigned char)(draw >> (8 * i));
        message[12 + i] = (unsigned char)(attempt >> (8 * i));
    }
    crypto_generichash(hash, sizeof(hash), message, sizeof(message), chance->key,
                       sizeof(chance->key));
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value |= (uint64_t)hash[i] << (8 * i);
    return value;
}

int64_t chance_between(const struct chance *chance, int64_t interaction_id, uint32_t draw,
                       int64_t low, int64_t high)
{
    uint64_t width = (uint64_t)high - (uint64_t)low + 1; /* 0 means all of 2^64 */
    if (width == 0)
        return (int64_t)word(chance, interaction_id, draw, 0);
    /* Words below 2^64 mod width would make low results likelier: draw again. */
    uint64_t unfair = (0 - width) % width;
    uint32_t attempt = 0;
    uint64_t value;
    do
        value = word(chance, interaction_id, draw, attempt++);
    while (value < unfair);
    return (int64_t)((uint64_t)low + value % width);
}
