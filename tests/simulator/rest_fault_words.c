/* Faults as they are written in scenes: see rest_server_read_fault. */
#include "simulator/rest_internal.h"

#include "simulator/script.h"

#include <string.h>

#define FAULT_COUNT_MAX 100000
#define FAULT_TIME_MAX  3600000 /* ms */
#define TIME_WANTED     "a time such as 300ms or 2s"

#define WEBHOOK_BITS                                                                               \
    (ROUTE_BIT(ROUTE_FOLLOW_UP) | ROUTE_BIT(ROUTE_GET_MESSAGE) | ROUTE_BIT(ROUTE_EDIT) |           \
     ROUTE_BIT(ROUTE_DELETE))

static const struct {
    const char *word;
    unsigned routes;
} targets[] = {
    { "request", 0 },
    { "webhook", WEBHOOK_BITS },
    { "edit", ROUTE_BIT(ROUTE_EDIT) },
    { "follow-up", ROUTE_BIT(ROUTE_FOLLOW_UP) },
    { "delete", ROUTE_BIT(ROUTE_DELETE) },
    { "get", ROUTE_BIT(ROUTE_GET_MESSAGE) },
    { "channel-message", ROUTE_BIT(ROUTE_CHANNEL_MESSAGE) },
    { "register", ROUTE_BIT(ROUTE_PUT_COMMANDS) | ROUTE_BIT(ROUTE_GET_COMMANDS) },
};

struct reader {
    const char *const *words;
    size_t count, next;
};

static bool take_word(struct reader *reader, const char *word)
{
    if (reader->next == reader->count || strcmp(reader->words[reader->next], word) != 0)
        return false;
    reader->next++;
    return true;
}

static bool take_number(struct reader *reader, int64_t min, int64_t max, int *number)
{
    int64_t value;
    if (reader->next == reader->count ||
        str_to_uint63(str_from(reader->words[reader->next]), &value) != 0 || value < min ||
        value > max)
        return false;
    *number = (int)value;
    reader->next++;
    return true;
}

/* "5%" or "5% of". */
static bool take_share(struct reader *reader, int *per_thousand)
{
    struct str_view text =
        str_from(reader->next < reader->count ? reader->words[reader->next] : NULL);
    int64_t percent;
    if (text.length < 2 || text.data[text.length - 1] != '%' ||
        str_to_uint63((struct str_view){ text.data, text.length - 1 }, &percent) != 0 ||
        percent < 1 || percent > 100)
        return false;
    *per_thousand = (int)percent * 10;
    reader->next++;
    (void)take_word(reader, "of");
    return true;
}

static bool take_time(struct reader *reader, int *milliseconds)
{
    int64_t value;
    if (reader->next == reader->count ||
        !read_duration(str_from(reader->words[reader->next]), &value) || value > FAULT_TIME_MAX)
        return false;
    *milliseconds = (int)value;
    reader->next++;
    return true;
}

static bool take_target(struct reader *reader, unsigned *routes)
{
    const char *word = reader->next < reader->count ? reader->words[reader->next] : "";
    size_t length = strlen(word);
    for (size_t i = 0; i < ARRAY_LENGTH(targets); i++) {
        size_t known = strlen(targets[i].word);
        bool is_plural = length == known + 1 && word[known] == 's';
        if (strncmp(word, targets[i].word, known) != 0 || (length != known && !is_plural))
            continue;
        *routes = targets[i].routes;
        reader->next++;
        return true;
    }
    return false;
}

static int complain(const struct reader *reader, const char *wanted, struct err *err)
{
    if (reader->next == reader->count)
        return err_set(err, ERR_INVALID, "a fault ends too early: %s is missing", wanted);
    return err_set(err, ERR_INVALID, "'%s' in a fault is not %s", reader->words[reader->next],
                   wanted);
}

static int read_status(struct reader *reader, struct rest_fault *fault, struct err *err)
{
    fault->kind = FAULT_STATUS;
    if (!take_number(reader, 400, 599, &fault->status))
        return complain(reader, "a status (400 to 599)", err);
    if (take_word(reader, "code") && !take_number(reader, 1, 999999, &fault->code))
        return complain(reader, "one of Discord's codes", err);
    if (take_word(reader, "after") && !take_time(reader, &fault->retry_after_ms))
        return complain(reader, TIME_WANTED, err);
    fault->is_global = take_word(reader, "global");
    fault->is_shared = !fault->is_global && take_word(reader, "shared");
    fault->is_cloudflare =
        !fault->is_global && !fault->is_shared && take_word(reader, "cloudflare");
    if (fault->status != 429 && (fault->is_global || fault->is_shared || fault->retry_after_ms > 0))
        return err_set(err, ERR_INVALID,
                       "only status 429 is global, is shared or has a time to wait");
    return 0;
}

static int read_kind(struct reader *reader, struct rest_fault *fault, struct err *err)
{
    if (take_word(reader, "status"))
        return read_status(reader, fault, err);
    if (take_word(reader, "delay")) {
        fault->kind = FAULT_DELAY;
        return take_time(reader, &fault->delay_ms) ? 0 : complain(reader, TIME_WANTED, err);
    }
    if (take_word(reader, "stall")) {
        fault->kind = FAULT_STALL;
        return 0;
    }
    if (!take_word(reader, "reset"))
        return complain(reader, "status, delay, reset or stall", err);
    bool is_before = take_word(reader, "before");
    fault->kind = is_before ? FAULT_RESET_BEFORE : FAULT_RESET_AFTER;
    if ((!is_before && !take_word(reader, "after")) || !take_word(reader, "effect"))
        return complain(reader, "'before effect' or 'after effect'", err);
    return 0;
}

/* --- What holds for all requests --- */

static void set_intake(struct rest_server *server, int number, int time_ms)
{
    (void)number;
    rest_server_set_intake(server, time_ms);
}

static void set_clocks_ahead(struct rest_server *server, int number, int time_ms)
{
    (void)number;
    rest_server_set_clock_error(server, time_ms);
}

static void set_clocks_behind(struct rest_server *server, int number, int time_ms)
{
    (void)number;
    rest_server_set_clock_error(server, -time_ms);
}

static void set_life(struct rest_server *server, int number, int time_ms)
{
    (void)number;
    rest_change_limits(server, &(struct rest_limits){ .token_ms = time_ms });
}

static void set_own(struct rest_server *server, int number, int time_ms)
{
    rest_change_limits(server, &(struct rest_limits){ .burst = number, .burst_ms = time_ms });
}

static void set_shared(struct rest_server *server, int number, int time_ms)
{
    rest_change_limits(server,
                       &(struct rest_limits){ .shared_burst = number, .shared_burst_ms = time_ms });
}

static void set_global(struct rest_server *server, int number, int time_ms)
{
    rest_change_limits(server, &(struct rest_limits){ .global = number, .global_ms = time_ms });
}

static void set_ban(struct rest_server *server, int number, int time_ms)
{
    rest_change_limits(server, &(struct rest_limits){ .invalid = number, .ban_ms = time_ms });
}

/* FIRST SECOND [N JOINT] TIME */
static const struct condition {
    const char *first, *second;
    const char *seconds; /* all that `first` may go on with */
    const char *joint;   /* NULL: there is only a time */
    void (*set)(struct rest_server *server, int number, int time_ms);
} conditions[] = {
    { "answers", "delay", "delay", NULL, set_intake },
    { "clocks", "ahead", "ahead or behind", NULL, set_clocks_ahead },
    { "clocks", "behind", "ahead or behind", NULL, set_clocks_behind },
    { "tokens", "live", "live", NULL, set_life },
    { "limit", "token", "token, shared or global", "in", set_own },
    { "limit", "shared", "token, shared or global", "in", set_shared },
    { "limit", "global", "token, shared or global", "in", set_global },
    { "ban", "after", "after", "for", set_ban },
};

/* NULL and 0: the words are no condition. */
static int find_condition(struct reader *reader, const struct condition **found, struct err *err)
{
    const char *seconds = NULL;
    *found = NULL;
    for (size_t i = 0; i < ARRAY_LENGTH(conditions) && !*found; i++) {
        reader->next = 0;
        if (!take_word(reader, conditions[i].first))
            continue;
        seconds = conditions[i].seconds;
        if (take_word(reader, conditions[i].second))
            *found = &conditions[i];
    }
    if (*found || !seconds)
        return 0;
    reader->next = 1;
    return complain(reader, seconds, err);
}

static int read_condition(struct rest_server *server, struct reader *reader,
                          const struct condition *condition, struct err *err)
{
    int number = 0, time_ms;
    if (condition->joint && !take_number(reader, 1, FAULT_COUNT_MAX, &number))
        return complain(reader, "a number", err);
    if (condition->joint && !take_word(reader, condition->joint))
        return complain(reader, condition->joint, err);
    if (!take_time(reader, &time_ms))
        return complain(reader, TIME_WANTED, err);
    if (reader->next < reader->count)
        return complain(reader, "the end", err);
    condition->set(server, number, time_ms);
    return 0;
}

/* --- One line --- */

static int read_end(struct reader *reader, struct rest_fault *fault, struct err *err)
{
    if (take_word(reader, "for") && !take_time(reader, &fault->lasts_ms))
        return complain(reader, TIME_WANTED, err);
    return reader->next < reader->count ? complain(reader, "the end", err) : 0;
}

int rest_server_read_fault(struct rest_server *server, const char *const *words, size_t count,
                           struct err *err)
{
    struct reader reader = { words, count, 0 };
    struct rest_fault fault = { 0 };
    const struct condition *condition;
    int result;
    if (count == 1 && take_word(&reader, "none")) {
        rest_server_clear_faults(server);
        return 0;
    }
    result = find_condition(&reader, &condition, err);
    if (result != 0 || condition)
        return result != 0 ? result : read_condition(server, &reader, condition, err);
    bool has_count = take_number(&reader, 1, FAULT_COUNT_MAX, &fault.count);
    bool has_share = take_share(&reader, &fault.per_thousand);
    bool has_target = take_target(&reader, &fault.routes);
    if (!has_count && !has_share && !has_target)
        return complain(&reader,
                        "a count, a share, request, edit, follow-up, delete, get, channel-message, "
                        "register, answers, clocks, tokens, limit, ban or none",
                        err);
    result = read_kind(&reader, &fault, err);
    if (result == 0)
        result = read_end(&reader, &fault, err);
    if (result == 0)
        rest_server_add_fault(server, &fault);
    return result;
}
