/* The reply builder, driven by bytes: each is a call, the bytes after it are its arguments. What is
 * serialized must pass a checker that shares no code with the builder; what is refused must be
 * named. */
#include "fuzz.h"

#include "bronx/reply.h"
#include "reply_checker.h"

#include <json-c/json.h>
#include <string.h>

#define CALLS_MAX 200

static const struct message shown_message = { .id = 1, .channel_id = 2, .author_id = 3 };

/* What is answered: a command, a component, an autocomplete, a modal with and without a message. */
static const struct interaction questions[] = {
    { .id = 1, .type = INTERACTION_COMMAND },
    { .id = 1, .type = INTERACTION_COMPONENT, .message = &shown_message },
    { .id = 1, .type = INTERACTION_AUTOCOMPLETE },
    { .id = 1, .type = INTERACTION_MODAL_SUBMIT },
    { .id = 1, .type = INTERACTION_MODAL_SUBMIT, .message = &shown_message },
};

struct program {
    struct fuzz_input input;
    struct arena arena;
    struct reply *reply;
    struct reply_select_option options[32];
    int64_t ids[32];
};

/* A text: from the input, or long, or absent. Without zero characters, which nothing the bot reads
 * lets through and the checker's C texts would end at. */
static struct str_view text_of(struct program *program)
{
    int length = fuzz_byte(&program->input);
    if (length == 255)
        return STR_NONE;
    bool is_long = length >= 224;
    size_t size = is_long ? (size_t)(length - 223) * 160 : (size_t)length;
    if (!is_long && size > program->input.left)
        size = program->input.left;
    char *text = arena_allocate(&program->arena, size + 1);
    FUZZ_CHECK(text);
    int letter = is_long ? 'a' + fuzz_below(&program->input, 26) : 0;
    for (size_t i = 0; i < size; i++) {
        int byte = is_long ? letter : fuzz_byte(&program->input);
        text[i] = (char)(byte ? byte : '0');
    }
    return (struct str_view){ text, size };
}

static int small_number(struct program *program)
{
    return fuzz_byte(&program->input) - 2;
}

static struct reply_button button_of(struct program *program)
{
    unsigned flags = fuzz_byte(&program->input);
    return (struct reply_button){
        .style = (enum button_style)(flags % 7),
        .emoji = flags & 64 ? "\xf0\x9f\x92\xb0" : NULL,
        .is_disabled = flags & 128,
        .label = text_of(program),
        .custom_id = text_of(program),
        .url = flags % 7 == BUTTON_LINK || flags & 32 ? text_of(program) : STR_NONE,
    };
}

static struct reply_select select_of(struct program *program)
{
    static const int channel_types[] = { 0, 2, 5 };
    static const enum component_type types[] = {
        COMPONENT_STRING_SELECT,      COMPONENT_USER_SELECT,    COMPONENT_ROLE_SELECT,
        COMPONENT_MENTIONABLE_SELECT, COMPONENT_CHANNEL_SELECT,
    };
    struct fuzz_input *input = &program->input;
    unsigned flags = fuzz_byte(input);
    struct reply_select select = {
        .type = types[flags % ARRAY_LENGTH(types)],
        .custom_id = text_of(program),
        .placeholder = text_of(program),
        .options = program->options,
        .option_count = fuzz_below(input, ARRAY_LENGTH(program->options)),
        .default_ids = flags & 16 ? program->ids : NULL,
        .default_id_count = flags & 16 ? fuzz_below(input, ARRAY_LENGTH(program->ids)) : 0,
        .channel_types = channel_types,
        .channel_type_count = flags & 32 ? fuzz_below(input, ARRAY_LENGTH(channel_types) + 1) : 0,
        .min_values = small_number(program),
        .max_values = small_number(program),
        .is_disabled = flags & 64,
        .is_optional = flags & 128,
    };
    for (int i = 0; i < select.option_count; i++)
        program->options[i] =
            (struct reply_select_option){ .label = text_of(program),
                                          .value = text_of(program),
                                          .description = text_of(program),
                                          .is_default = fuzz_below(input, 8) == 1 };
    for (int i = 0; i < select.default_id_count; i++)
        program->ids[i] = fuzz_byte(input);
    return select;
}

/* --- One function for each call ----------------------------------------------------------------
 */

typedef void instruction(struct program *program);

static void do_ephemeral(struct program *program)
{
    reply_ephemeral(program->reply);
}

static void do_update(struct program *program)
{
    reply_update(program->reply);
}

static void do_defer(struct program *program)
{
    reply_defer(program->reply);
}

static void do_defer_update(struct program *program)
{
    reply_defer_update(program->reply);
}

static void do_modal(struct program *program)
{
    struct str_view custom_id = text_of(program);
    reply_modal(program->reply, custom_id, text_of(program));
}

static void do_suggest(struct program *program)
{
    struct str_view name = text_of(program);
    reply_suggest(program->reply, name, text_of(program));
}

static void do_suggest_integer(struct program *program)
{
    struct str_view name = text_of(program);
    reply_suggest_integer(program->reply, name, fuzz_int64(&program->input));
}

static void do_suggest_nothing(struct program *program)
{
    reply_suggest_nothing(program->reply);
}

static void do_reset(struct program *program)
{
    reply_reset(program->reply);
    FUZZ_CHECK(reply_is_empty(program->reply));
}

static void do_text(struct program *program)
{
    reply_text_view(program->reply, text_of(program));
}

static void do_format(struct program *program)
{
    reply_text(program->reply, "### %.*s", STR_ARGS(text_of(program)));
}

static void do_container_begin(struct program *program)
{
    reply_container_begin(program->reply, small_number(program) * 65537);
}

static void do_container_end(struct program *program)
{
    reply_container_end(program->reply);
}

static void do_section_begin(struct program *program)
{
    reply_section_begin(program->reply);
}

static void do_section_end(struct program *program)
{
    reply_section_end(program->reply);
}

static void do_row_begin(struct program *program)
{
    reply_row_begin(program->reply);
}

static void do_row_end(struct program *program)
{
    reply_row_end(program->reply);
}

static void do_button(struct program *program)
{
    struct reply_button button = button_of(program);
    reply_button(program->reply, &button);
}

static void do_select(struct program *program)
{
    struct reply_select select = select_of(program);
    reply_select(program->reply, &select);
}

static void do_separator(struct program *program)
{
    reply_separator(program->reply, fuzz_below(&program->input, 2));
}

static void do_thumbnail(struct program *program)
{
    struct str_view url = text_of(program);
    reply_thumbnail(program->reply, url, text_of(program));
}

static void do_picture(struct program *program)
{
    struct str_view url = text_of(program);
    reply_picture(program->reply, url, text_of(program));
}

static void do_file(struct program *program)
{
    struct str_view filename = text_of(program);
    reply_file(program->reply, filename, text_of(program));
}

static void do_mention_user(struct program *program)
{
    reply_mention_user(program->reply, fuzz_int64(&program->input));
}

static void do_mention_role(struct program *program)
{
    reply_mention_role(program->reply, small_number(program));
}

static void do_text_input(struct program *program)
{
    struct str_view label = text_of(program), description = text_of(program);
    struct reply_text_input input = { .custom_id = text_of(program),
                                      .is_paragraph = fuzz_below(&program->input, 2),
                                      .min_length = small_number(program),
                                      .max_length = small_number(program) * 17,
                                      .value = text_of(program),
                                      .placeholder = text_of(program) };
    reply_text_input(program->reply, label, description, &input);
}

static void do_labelled_select(struct program *program)
{
    struct str_view label = text_of(program), description = text_of(program);
    struct reply_select select = select_of(program);
    reply_labelled_select(program->reply, label, description, &select);
}

static void do_choice_group(struct program *program)
{
    struct str_view label = text_of(program), description = text_of(program);
    struct reply_select select = select_of(program);
    struct reply_choice_group group = {
        .type = fuzz_below(&program->input, 2) ? COMPONENT_RADIO_GROUP : COMPONENT_CHECKBOX_GROUP,
        .custom_id = select.custom_id,
        .options = select.options,
        .option_count = select.option_count,
        .min_values = small_number(program),
        .max_values = small_number(program),
    };
    reply_choice_group(program->reply, label, description, &group);
}

static void do_checkbox(struct program *program)
{
    struct str_view label = text_of(program), description = text_of(program);
    struct str_view custom_id = text_of(program);
    reply_checkbox(program->reply, label, description, custom_id, fuzz_below(&program->input, 2));
}

static void do_file_upload(struct program *program)
{
    struct str_view label = text_of(program), description = text_of(program);
    struct str_view custom_id = text_of(program);
    int min = small_number(program);
    reply_file_upload(program->reply, label, description, custom_id, min, small_number(program));
}

static instruction *const instructions[] = {
    do_ephemeral,
    do_update,
    do_defer,
    do_defer_update,
    do_modal,
    do_suggest,
    do_suggest_integer,
    do_suggest_nothing,
    do_reset,
    do_text,
    do_format,
    do_container_begin,
    do_container_end,
    do_section_begin,
    do_section_end,
    do_row_begin,
    do_row_end,
    do_button,
    do_select,
    do_separator,
    do_thumbnail,
    do_picture,
    do_file,
    do_mention_user,
    do_mention_role,
    do_text_input,
    do_labelled_select,
    do_choice_group,
    do_checkbox,
    do_file_upload,
};

/* --- Promises ----------------------------------------------------------------------------------
 */

static void check_json(const struct buf *out)
{
    FUZZ_CHECK(out->data && strlen(out->data) == out->length);
    FUZZ_CHECK(utf8_is_valid(buf_view(out)));
    struct json_tokener *tokener = json_tokener_new();
    FUZZ_CHECK(tokener);
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    struct json_object *tree = json_tokener_parse_ex(tokener, out->data, (int)out->length);
    FUZZ_CHECK(tree && json_tokener_get_parse_end(tokener) == out->length);
    json_object_put(tree);
    json_tokener_free(tokener);
}

static void check_refused(int code, const struct buf *out, const struct err *err)
{
    FUZZ_CHECK(code == ERR_INVALID || code == ERR_LIMIT || code == ERR_DEFERRAL);
    FUZZ_CHECK(err->code == code && err->message[0] != '\0' && out->length == 0);
}

static void check_answer(const struct reply *reply)
{
    CLEANUP(buf_free) struct buf out = { 0 };
    CLEANUP(buf_free) struct buf again = { 0 };
    struct err err = { 0 };
    int code = reply_serialize(reply, &out, &err);
    if (code != 0) {
        check_refused(code, &out, &err);
        return;
    }
    FUZZ_CHECK(out.length <= REPLY_INLINE_MAX_BYTES);
    check_json(&out);
    const char *fault = checked_answer(out.data);
    if (fault)
        fprintf(stderr, "%s\n%s\n", fault, out.data);
    FUZZ_CHECK(!fault);
    FUZZ_CHECK(reply_serialize(reply, &again, &err) == 0);
    FUZZ_CHECK(str_equal(buf_view(&out), buf_view(&again)));
}

typedef int serialize(const struct reply *reply, struct buf *out, struct err *err);

static void check_later(const struct reply *reply, serialize *later)
{
    CLEANUP(buf_free) struct buf out = { 0 };
    struct err err = { 0 };
    int code = later(reply, &out, &err);
    FUZZ_CHECK(code != ERR_DEFERRAL);
    if (code != 0)
        check_refused(code, &out, &err);
    else
        check_json(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct program program = { .input = { data, size } };
    const struct interaction *question =
        &questions[fuzz_below(&program.input, ARRAY_LENGTH(questions))];
    program.arena.limit = (size_t)64 * 1024 * 1024;
    program.reply = reply_new(&program.arena, question);
    FUZZ_CHECK(program.reply);
    for (int i = 0; i < CALLS_MAX && program.input.left > 0; i++)
        instructions[fuzz_below(&program.input, ARRAY_LENGTH(instructions))](&program);
    check_answer(program.reply);
    check_later(program.reply, reply_serialize_edit);
    check_later(program.reply, reply_serialize_follow_up);
    arena_free(&program.arena);
    return 0;
}
