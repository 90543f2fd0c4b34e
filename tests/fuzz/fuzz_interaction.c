/* The interaction parser: what Discord posts, or somebody who has its key. */
#include "fuzz.h"

#include "discord/interaction_parse.h"

#include <string.h>

static void check_text(struct str_view text)
{
    FUZZ_CHECK(utf8_is_valid(text));
    FUZZ_CHECK(text.data || text.length == 0);
}

static void check_user(const struct user *user)
{
    FUZZ_CHECK(user->id > 0);
    check_text(user->username);
    check_text(user->global_name);
}

static void check_member(const struct member *member)
{
    if (!member)
        return;
    check_text(member->nick);
    for (int i = 0; i < member->role_count; i++)
        FUZZ_CHECK(member->role_ids[i] > 0);
}

static void check_resolved(const struct interaction *interaction)
{
    const struct resolved *resolved = &interaction->resolved;
    for (int i = 0; i < resolved->user_count; i++) {
        check_user(&resolved->users[i].user);
        check_member(resolved->users[i].member);
        FUZZ_CHECK(interaction_resolved_user(interaction, resolved->users[i].user.id));
    }
    for (int i = 0; i < resolved->role_count; i++)
        check_text(resolved->roles[i].name);
    for (int i = 0; i < resolved->channel_count; i++)
        check_text(resolved->channels[i].name);
    for (int i = 0; i < resolved->attachment_count; i++) {
        check_text(resolved->attachments[i].filename);
        check_text(resolved->attachments[i].url);
    }
    for (int i = 0; i < resolved->message_count; i++)
        check_text(resolved->messages[i].content);
}

static void check_command(const struct interaction *interaction)
{
    FUZZ_CHECK(interaction->command.path_length >= 1);
    FUZZ_CHECK(interaction->command.path_length <= COMMAND_PATH_MAX);
    for (int i = 0; i < interaction->command.path_length; i++)
        check_text(interaction->command.path[i]);
    for (int i = 0; i < interaction->command.option_count; i++) {
        check_text(interaction->command.options[i].name);
        check_text(interaction->command.options[i].text);
    }
}

static void check_fields(const struct interaction *interaction)
{
    check_text(interaction->custom_id);
    FUZZ_CHECK(interaction->custom_id.length > 0);
    FUZZ_CHECK(interaction->type != INTERACTION_COMPONENT || interaction->field_count == 1);
    for (int i = 0; i < interaction->field_count; i++) {
        const struct field_value *field = &interaction->fields[i];
        check_text(field->custom_id);
        check_text(field->value);
        for (int j = 0; j < field->value_count; j++)
            check_text(field->values[j]);
    }
}

static void check(const struct interaction *interaction)
{
    check_text(interaction->token);
    check_text(interaction->locale);
    if (interaction->type == INTERACTION_PING)
        return;
    FUZZ_CHECK(interaction->id > 0);
    FUZZ_CHECK(interaction->application_id > 0);
    FUZZ_CHECK(interaction->context >= CONTEXT_UNKNOWN);
    FUZZ_CHECK(interaction->context <= CONTEXT_PRIVATE_CHANNEL);
    check_member(interaction->member);
    if (interaction->message)
        check_text(interaction->message->content);
    switch (interaction->type) {
    case INTERACTION_COMMAND:
    case INTERACTION_AUTOCOMPLETE:
        check_user(&interaction->user);
        check_command(interaction);
        check_resolved(interaction);
        break;
    case INTERACTION_COMPONENT:
    case INTERACTION_MODAL_SUBMIT:
        check_user(&interaction->user);
        check_fields(interaction);
        check_resolved(interaction);
        break;
    default:
        break;
    }
}

static bool is_same_option(const struct option_value *a, const struct option_value *b)
{
    return str_equal(a->name, b->name) && a->type == b->type && a->is_focused == b->is_focused &&
           str_equal(a->text, b->text) && a->integer == b->integer;
}

/* A command that is stored and read again is the same command. */
static void check_stored(const struct interaction *interaction)
{
    CLEANUP(buf_free) struct buf data = { 0 };
    CLEANUP(buf_free) struct buf again = { 0 };
    struct interaction *stored = NULL;
    struct err err = { 0 };
    interaction_data_json(interaction, &data);
    if (interaction->type != INTERACTION_COMMAND) {
        FUZZ_CHECK(str_equal(buf_view(&data), STR("null")));
        return;
    }
    FUZZ_CHECK(interaction_parse_data(buf_view(&data), interaction, &stored, &err) == 0);
    FUZZ_CHECK(stored->id == interaction->id && stored->user.id == interaction->user.id);
    FUZZ_CHECK(stored->command.path_length == interaction->command.path_length);
    for (int i = 0; i < stored->command.path_length; i++)
        FUZZ_CHECK(str_equal(stored->command.path[i], interaction->command.path[i]));
    FUZZ_CHECK(stored->command.option_count == interaction->command.option_count);
    for (int i = 0; i < stored->command.option_count; i++)
        FUZZ_CHECK(is_same_option(&stored->command.options[i], &interaction->command.options[i]));
    FUZZ_CHECK(stored->resolved.user_count == interaction->resolved.user_count);
    check(stored);
    interaction_data_json(stored, &again);
    FUZZ_CHECK(str_equal(buf_view(&data), buf_view(&again)));
    interaction_free(stored);
}

/* What is kept for later is what was read. */
static void check_kept(const struct interaction *interaction, struct str_view body)
{
    struct str_view json = interaction_json(interaction);
    FUZZ_CHECK(interaction->type == INTERACTION_PING ? !json.data : str_equal(json, body));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct interaction *interaction = NULL;
    struct err err = { 0 };
    char *copy;
    struct str_view body = fuzz_exact_copy((struct str_view){ (const char *)data, size }, &copy);
    int result = interaction_parse(body, &interaction, &err);
    free(copy); /* what is kept of the body is a copy */
    if (result != 0) {
        FUZZ_CHECK(!interaction);
        FUZZ_CHECK(result == ERR_INVALID && err.code == result);
        /* The reason goes into the JSON of a 400 answer. */
        FUZZ_CHECK(err.message[0] != '\0' && utf8_is_valid(str_from(err.message)));
        return 0;
    }
    FUZZ_CHECK(interaction);
    check(interaction);
    check_stored(interaction);
    check_kept(interaction, (struct str_view){ (const char *)data, size });
    interaction_free(interaction);
    return 0;
}
