/* Whether the bot could post where a server wants it to: said beside the channel to those who can
 * put it right, when the newest message there was given up. Nobody else would ever hear of it.
 *
 * An answer about a save tells what was known when it was saved, of the channels as they then were:
 * a replay tells the same. */
#include "settings.h"

#include "bronx/clock.h"
#include "bronx/services.h"

#define CHANGES_MAX 500 /* all that are kept of a server */

static const char *const keys[OUTBOX_CHANNELS_ASKED] = { "log_channel", "announcement_channel" };

static int place_of(const char *key)
{
    return (int)(field_find(server_fields, str_from(key)) - server_fields);
}

int settings_ask_channels(struct call *call, const struct field_values *values, int64_t before_ms,
                          struct settings_channels *asked, struct err *err)
{
    bool is_any_set = false;
    *asked = (struct settings_channels){ 0 };
    for (int i = 0; i < OUTBOX_CHANNELS_ASKED; i++) {
        struct str_view value = field_value_of(server_fields, values, place_of(keys[i]));
        is_any_set |= str_to_uint63(value, &asked->channels[i].id) == 0;
    }
    return is_any_set ? outbox_ask_channels(call->services->db, asked->channels, before_ms, err)
                      : 0;
}

struct str_view settings_channel_warning(const struct call *call,
                                         const struct settings_channels *asked,
                                         const struct field *field)
{
    for (int i = 0; i < OUTBOX_CHANNELS_ASKED; i++) {
        const struct outbox_channel *channel = &asked->channels[i];
        if (channel->obstacle == OUTBOX_NO_OBSTACLE ||
            !str_equal(str_from(field->key), str_from(keys[i])))
            continue;
        return arena_format(
            call->arena,
            tr(call,
               channel->obstacle == OUTBOX_NEEDS_BOT_TOKEN
                   ? TR("⚠️ I couldn't post there <t:%lld:R>. The people who run this bot "
                        "must give it a token first.")
                   : TR("⚠️ I couldn't post there <t:%lld:R>: check my permissions.")),
            (long long)(channel->told_at_ms / MS_PER_SECOND));
    }
    return STR_NONE;
}

/* What it was after `saved`, whatever was saved since. */
static int read_as_saved(struct call *call, const struct settings_change *saved,
                         struct field_values *values, struct err *err)
{
    struct settings_owner owner = settings_owner_of(call, SETTINGS_OF_SERVER);
    struct settings_change *changes;
    int64_t revision;
    int count;
    int result = settings_read(call, owner, &revision, values, err);
    if (result != 0 || revision == saved->revision)
        return result;
    result = settings_history(call, owner, 0, CHANGES_MAX, &changes, &count, err);
    for (int i = 0; result == 0 && i < count && changes[i].revision > saved->revision; i++) {
        const struct field *field = field_find(server_fields, changes[i].key);
        if (field)
            values->values[field - server_fields] = changes[i].old_value;
    }
    return result;
}

int settings_show_closed_channels(struct call *call, const struct settings_change *saved,
                                  struct err *err)
{
    struct settings_channels asked;
    struct field_values values;
    int result = read_as_saved(call, saved, &values, err);
    if (result == 0)
        result = settings_ask_channels(call, &values, saved->changed_at_ms, &asked, err);
    for (int i = 0; result == 0 && i < OUTBOX_CHANNELS_ASKED; i++) {
        const struct field *field = &server_fields[place_of(keys[i])];
        struct str_view warning = settings_channel_warning(call, &asked, field);
        if (warning.data)
            reply_text(call->reply, "**%s**: <#%lld>\n%.*s", tr(call, field->label),
                       (long long)asked.channels[i].id, STR_ARGS(warning));
    }
    return result;
}
