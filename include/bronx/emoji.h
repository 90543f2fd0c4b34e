/* Custom emoji of servers, as messages write them: "<:gem:412345678901234567>", "<a:gem:…>" when it
 * moves. Whether there is such an emoji, and whether the bot may use it there, Discord alone knows:
 * where it does not, people see ":gem:".
 * https://docs.discord.com/developers/reference#message-formatting */
#ifndef BRONX_EMOJI_H
#define BRONX_EMOJI_H

#include "bronx/text.h"

#define EMOJI_UNITS_MAX 56 /* of the longest: a name of 32 characters, an id of 19 */

/* How many bytes of the text's start are one; 0 when it begins with anything else. */
size_t emoji_length(struct str_view text);

/* Whether the text is one emoji and nothing else. */
bool emoji_is_custom(struct str_view text);

/* ":gem:", borrowed, where Discord shows no emoji; a text that is none as it is. */
struct str_view emoji_plain(struct str_view text);

#endif
