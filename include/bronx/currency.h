/* Amounts of coins in words, as the server of the call calls them. */
#ifndef BRONX_CURRENCY_H
#define BRONX_CURRENCY_H

#include "bronx/command.h"

/* "1,000 coins", "1 coin"; with a name and a symbol of the server's own "💎 1,000 gems". Markdown:
 * the symbol may be a custom emoji, see bronx/emoji.h; in the call's arena. */
struct str_view currency_show(const struct call *call, int64_t amount);

#endif
