/* /privacy: what is stored about a person, as an overview and as a file, and its erasure.
 *
 * Nobody has to accept terms for it. An export only reads; whoever deletes types a word into a
 * form first, so that no single click erases anybody. Both may run twice. */
#include "commands.h"
#include "economy.h"

#include "bronx/language.h"
#include "bronx/services.h"
#include "bronx/user_data.h"

#include <inttypes.h>
#include <time.h>

#define MODAL_DELETE    "erase"
#define FIELD_WORD      "word"
#define WORD_OF_CONSENT TR("DELETE")
#define WORD_MAX        16
#define FILE_NAME_SIZE  64
#define REST_OF_REPLY   ARENA_DEFAULT_LIMIT

/* --- /privacy export --- */

static struct str_view filename_of(const struct call *call)
{
    time_t seconds = (time_t)(call->now_ms / MS_PER_SECOND);
    struct tm utc;
    char date[FILE_NAME_SIZE];
    if (!gmtime_r(&seconds, &utc) || strftime(date, sizeof(date), "%Y-%m-%d", &utc) == 0)
        return STR("bronxbot.json");
    return arena_format(call->arena, "bronxbot-%" PRId64 "-%s.json", call->interaction->user.id,
                        date);
}

static void say_what_is_missing(struct call *call, const struct user_data_result *result)
{
    if (result->is_whole)
        return;
    if (result->next_from > 0)
        reply_text(call->reply,
                   tr(call, "Not everything fits one file. For the rest of your ledger, run "
                            "`/privacy export from:%" PRId64 "`."),
                   result->next_from);
    else
        reply_text(call->reply,
                   tr(call, "**This file is not complete:** more is stored about you than a "
                            "file can carry. Please ask the people who run this bot for the "
                            "rest."));
}

static int run_export(struct call *call, struct err *err)
{
    CLEANUP(buf_free) struct buf json = { 0 };
    struct user_data_request request = {
        .user_id = call->interaction->user.id,
        .now_ms = call->now_ms,
        .max_bytes = USER_DATA_FILE_MAX,
    };
    struct user_data_result result;
    if (call_has_option(call, "from") && str_to_uint63(call_text(call, "from"), &request.from) != 0)
        return call_refuse(call,
                           tr(call, "`from` is the number that the previous export gave you."));
    int code = user_data_export(call->services, &request, &json, &result, err);
    if (code != 0)
        return code;
    /* The reply copies the file. */
    call->arena->limit = USER_DATA_FILE_MAX + REST_OF_REPLY;
    reply_ephemeral(call->reply);
    reply_text(call->reply,
               tr(call, "Everything that is stored about you, why, and for how long. It holds "
                        "your ledger: think before you pass it on."));
    say_what_is_missing(call, &result);
    reply_file(call->reply, filename_of(call), buf_view(&json));
    return 0;
}

/* --- /privacy show --- */

static int run_show(struct call *call, struct err *err)
{
    struct user_data_counts counts;
    CLEANUP(buf_free) struct buf list = { 0 };
    int code = user_data_count(call->services, call->interaction->user.id, &counts, err);
    if (code != 0)
        return code;
    for (const struct user_data_table *table = user_data_tables; table->name; table++)
        if (table->owner)
            buf_append_format(&list, tr(call, "- %s Kept: %s. **%" PRId64 "** stored.\n"),
                              tr(call, table->purpose), tr(call, table->retention),
                              counts.rows[table - user_data_tables]);
        else if (table->sealed)
            buf_append_format(&list, tr(call, "- %s Encrypted. Kept: %s.\n"),
                              tr(call, table->purpose), tr(call, table->retention));
    if (list.has_failed)
        return err_set(err, ERR_MEMORY, "what is stored about somebody");
    reply_ephemeral(call->reply);
    reply_container_begin(call->reply, COLOUR_GOLD);
    reply_text(call->reply, tr(call, "### What is stored about you"));
    reply_text_view(call->reply, buf_view(&list));
    reply_text(call->reply,
               tr(call, "Nothing you write in chat is read or stored. `/privacy export` sends "
                        "you all of it as a file, `/privacy delete` erases it."));
    reply_container_end(call->reply);
    return 0;
}

/* --- /privacy delete --- */

static int run_delete(struct call *call, struct err *err)
{
    (void)err;
    reply_modal(call->reply, call_custom_id(call, 0, MODAL_DELETE),
                tr_view(call, "Delete my data"));
    reply_text(
        call->reply,
        tr(call,
           "This erases what is stored about you: your coins are lost, your terms, streaks and "
           "limits forgotten. Past movements of coins stay in the books without your name. For a "
           "day, or until a longer wait or break of yours is over, you can't begin anew, and "
           "within "
           "30 days there is no welcome bonus. **Nobody can undo it.** `/privacy export` saves a "
           "copy first."));
    reply_text_input(call->reply, tr_view(call, "Are you sure?"),
                     tr_view(call, "Type DELETE to erase your data"),
                     &(struct reply_text_input){ .custom_id = STR(FIELD_WORD),
                                                 .max_length = WORD_MAX,
                                                 .placeholder = tr_view(call, WORD_OF_CONSENT) });
    return 0;
}

/* In the person's language or in English: who changes the one may be shown the other. */
static bool is_consent(const struct call *call, struct str_view word)
{
    return str_equal_ignoring_case(word, STR(WORD_OF_CONSENT)) ||
           str_equal_ignoring_case(word, tr_view(call, WORD_OF_CONSENT));
}

static int modal(struct call *call, struct err *err)
{
    const struct field_value *word = interaction_field(call->interaction, FIELD_WORD);
    if (!word || !is_consent(call, str_trim(word->value)))
        return call_refuse(call, tr(call, "Nothing was deleted: the word to type is `%s`."),
                           tr(call, WORD_OF_CONSENT));
    int code = user_data_erase(call, err);
    if (code != 0)
        return code;
    reply_ephemeral(call->reply);
    reply_text(call->reply,
               tr(call, "Done: what was stored about you is erased. Movements of coins stay in "
                        "the books, and nobody can say any more that they were yours. You can "
                        "begin anew after a day at the earliest; that you deleted is remembered "
                        "without your id for 30 days or more, so that it brings no second "
                        "welcome bonus."));
    return 0;
}

static const struct option export_options[] = {
    { .name = "from",
      .description = TR("Where the previous file ended, when it said so"),
      .type = OPTION_STRING,
      .has_min = true,
      .min = 1,
      .has_max = true,
      .max = 19 },
    { .name = NULL },
};

static const struct option privacy_options[] = {
    { .name = "show",
      .description = TR("What is stored about you, why and for how long"),
      .type = OPTION_SUB_COMMAND,
      .run = run_show },
    { .name = "export",
      .description = TR("Get everything stored about you as a file"),
      .type = OPTION_SUB_COMMAND,
      .options = export_options,
      .run = run_export,
      .cooldown_ms = MS_PER_MINUTE,
      .has_deferral = true },
    { .name = "delete",
      .description = TR("Erase everything stored about you"),
      .type = OPTION_SUB_COMMAND,
      .run = run_delete },
    { .name = NULL },
};

const struct command privacy_command = {
    .name = "privacy",
    .description = TR("See, export or delete what is stored about you"),
    .details = TR("`export` sends a JSON file that only you see. `delete` asks first, and can't be "
                  "undone."),
    .category = CATEGORY_START,
    .options = privacy_options,
    .contexts = IN_ALL,
    .is_ephemeral = true,
    .modal = modal,
    .component_version = 1,
};
