/* Discord's rules for answers once more, read from the JSON and written down apart from the
 * builder: what the builder lets through must pass here.
 * https://docs.discord.com/developers/components/reference */
#ifndef TESTS_REPLY_CHECKER_H
#define TESTS_REPLY_CHECKER_H

/* NULL when Discord would take `json` as an answer, else what is wrong. Static text. */
const char *checked_answer(const char *json);

#endif
