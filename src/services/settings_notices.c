/* What other people are told about a save: whoever reads the log channel of every change and who
 * made it, all members (the announcement channel) of what concerns them. In the server's language,
 * in the transaction of the save, as the bot. Any thread.
 *
 * That the log goes to another channel, or to none, is the last thing the one before hears of it:
 * nobody turns it off unseen. */
#include "services/settings_internal.h"

#include "bronx/outbox.h"
#include "bronx/services.h"

#include <inttypes.h>

#define SERVER_COLOUR 0x5865F2

/* By the page of the setup they are on. */
static const bool concerns_all[] = {
    [SERVER_LOOK] = false,   [SERVER_SWITCHES] = true, [SERVER_LIMITS] = true,
    [SERVER_PLACES] = false, [SERVER_VOTEBAN] = true,
};

struct notice {
    struct call reader; /* the call, as somebody in that channel would read it */
    const struct field_values *before, *after;
    struct reply *reply;
    bool names_author;
    int change_count; /* that `reply` shows */
};

static bool is_shown(const struct notice *notice, int place, bool is_for_all)
{
    const struct field *field = &server_fields[place];
    return !is_for_all ||
           (concerns_all[field->step] && field_applies(field, &notice->reader, notice->after));
}

static void show_changes(struct notice *notice, bool is_for_all)
{
    const struct call *reader = &notice->reader;
    for (int i = 0; server_fields[i].key; i++) {
        struct str_view old_value = field_value_of(server_fields, notice->before, i);
        struct str_view new_value = field_value_of(server_fields, notice->after, i);
        if (str_equal(old_value, new_value) || !is_shown(notice, i, is_for_all))
            continue;
        notice->change_count++;
        reply_text_view(notice->reply,
                        arena_format(reader->arena, "**%s**: %.*s → %.*s",
                                     tr(reader, server_fields[i].label),
                                     STR_ARGS(field_show(&server_fields[i], reader, old_value)),
                                     STR_ARGS(field_show(&server_fields[i], reader, new_value))));
    }
}

static int write_notice(struct call *call, bool is_for_all, struct notice *notice, struct err *err)
{
    const struct interaction *interaction = call->interaction;
    struct call *reader = &notice->reader;
    *reader = *call;
    reader->language = language_of(interaction->guild_locale);
    notice->reply = reply_new(call->arena, interaction);
    if (!notice->reply)
        return err_set(err, ERR_MEMORY, "a notice about settings");
    reply_container_begin(notice->reply, SERVER_COLOUR);
    notice->names_author = !is_for_all;
    if (is_for_all)
        reply_text_view(notice->reply, tr_view(reader, "### Something has changed in this server"));
    else
        reply_text(notice->reply, tr(reader, "<@%lld> has changed the settings, <t:%lld:f>"),
                   (long long)interaction->user.id, (long long)(call->now_ms / MS_PER_SECOND));
    show_changes(notice, is_for_all);
    reply_container_end(notice->reply);
    return 0;
}

/* 0 when there is none. */
static int64_t channel_of(const struct field_values *values, const char *key)
{
    const struct field *field = field_find(server_fields, str_from(key));
    int64_t id = 0;
    struct str_view value = field_value_of(server_fields, values, (int)(field - server_fields));
    return str_to_uint63(value, &id) == 0 ? id : 0;
}

static int stage(struct call *call, int64_t channel_id, const struct notice *notice,
                 struct db_statement *statements, int *count, struct err *err)
{
    struct outbox_target cause = outbox_target_of(call);
    cause.names_author = notice->names_author;
    if (channel_id == 0 || notice->change_count == 0)
        return 0;
    int result = outbox_stage_channel_message(call->services->outbox, &cause, channel_id,
                                              notice->reply, call->arena, &statements[*count], err);
    *count += result == 0;
    return result;
}

int settings_notices_stage(struct call *call, struct settings_owner owner,
                           const struct field_values *before, const struct field_values *after,
                           struct db_statement *statements, int *count, struct err *err)
{
    struct notice log = { .before = before, .after = after };
    struct notice announcement = { .before = before, .after = after };
    *count = 0;
    if (owner.scope != SETTINGS_OF_SERVER)
        return 0;
    int64_t log_before = channel_of(before, "log_channel");
    int64_t log_after = channel_of(after, "log_channel");
    int result = write_notice(call, false, &log, err);
    if (result == 0)
        result = write_notice(call, true, &announcement, err);
    if (result == 0)
        result = stage(call, log_before, &log, statements, count, err);
    if (result == 0 && log_after != log_before)
        result = stage(call, log_after, &log, statements, count, err);
    if (result == 0)
        result = stage(call, channel_of(after, "announcement_channel"), &announcement, statements,
                       count, err);
    return result;
}
