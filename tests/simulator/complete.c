/* What could come next in a line: verbs, commands, sub-commands, options, values, labels. */
#include "simulator/prompt.h"

#include "harness/memory.h"
#include "simulator/components.h"
#include "simulator/json_read.h"

#include <stdlib.h>
#include <string.h>

static const char *const verbs[] = {
    "as",     "click",    "select", "type",   "check",  "uncheck", "choose",
    "submit", "cancel",   "wait",   "replay", "expect", "restart", "kill",
    "help",   "complete", "quit",   "await",  "fault",  "record",
};

struct completer {
    struct session *session;
    struct str_view typed; /* the word so far */
    struct completions *found;
};

static const char *locale_of(const struct completer *completer)
{
    return completer->session->actor.person->locale;
}

static void offer(struct completer *completer, const char *text)
{
    struct completions *found = completer->found;
    if (!str_starts_with(str_from(text), completer->typed))
        return;
    must_grow(&found->words, found->count, sizeof(char *));
    found->words[found->count++] = must_copy(str_from(text));
}

static void offer_taken(struct completer *completer, char *text)
{
    offer(completer, text);
    free(text);
}

static void offer_people(struct completer *completer, const char *before)
{
    const struct world *world = &completer->session->world;
    for (size_t i = 0; i < world->person_count; i++)
        offer_taken(completer, must_format("%s%s", before, world->people[i]->name));
}

static void offer_commands(struct completer *completer)
{
    json_object *commands = completer->session->catalogue->commands;
    for (size_t i = 0; i < list_length(commands); i++)
        offer_taken(completer, must_format("/%s", catalogue_shown(list_item(commands, i),
                                                                  locale_of(completer))));
}

/* `name:value`, quoted when it has a space. */
static void offer_value(struct completer *completer, const char *name, const char *value)
{
    const char *quote = strchr(value, ' ') ? "\"" : "";
    offer_taken(completer, must_format("%s:%s%s%s", name, quote, value, quote));
}

/* Sends an autocomplete interaction for the words as typed. */
static void offer_suggestions(struct completer *completer, const struct step *step,
                              const char *name)
{
    struct session *session = completer->session;
    struct deliveries deliveries = { 0 };
    struct word words[SCRIPT_WORDS_MAX];
    struct delivery delivery = { 0 };
    char verb[] = "complete";
    if (step->count + 1 > SCRIPT_WORDS_MAX)
        return;
    words[0] = (struct word){ verb, false };
    memcpy(words + 1, step->words, step->count * sizeof(struct word));
    if (delivery_prepare(session, &session->actor, words, step->count + 1, &delivery, NULL) != 0)
        return;
    must_grow(&deliveries.items, deliveries.count, sizeof(struct delivery));
    deliveries.items[deliveries.count++] = delivery;
    deliveries_send(session, deliveries.items, 1);
    delivery_absorb(session, deliveries.items);
    json_object *choices = get(get(deliveries.items->json, "data"), "choices");
    for (size_t i = 0; i < list_length(choices); i++)
        offer_value(completer, name, json_object_get_string(get(list_item(choices, i), "value")));
    deliveries_free(&deliveries);
}

static void offer_option_values(struct completer *completer, json_object *option,
                                const struct step *step)
{
    const char *name = catalogue_shown(option, locale_of(completer));
    json_object *choices = get(option, "choices");
    int64_t kind = get_integer(option, "type", 0);
    for (size_t i = 0; i < list_length(choices); i++)
        offer_value(completer, name, catalogue_shown(list_item(choices, i), locale_of(completer)));
    if (kind == KIND_BOOLEAN) {
        offer_value(completer, name, "true");
        offer_value(completer, name, "false");
    }
    if (kind == KIND_USER || kind == KIND_MENTIONABLE) {
        char *before = must_format("%s:@", name);
        offer_people(completer, before);
        free(before);
    }
    if (get_boolean(option, "autocomplete", false))
        offer_suggestions(completer, step, name);
}

/* After `/command`: its sub-commands, or its options and their values. */
static void offer_command_parts(struct completer *completer, const struct step *step)
{
    json_object *owner = catalogue_command(completer->session->catalogue,
                                           str_from(step->words[0].text + 1), locale_of(completer));
    size_t used = 1;
    bool is_new_word = completer->typed.length == 0;
    size_t done = is_new_word ? step->count : step->count - 1;
    while (used < done && catalogue_has_sub_commands(owner))
        owner = catalogue_option(owner, word_text(&step->words[used++]), locale_of(completer));
    json_object *options = get(owner, "options");
    for (size_t i = 0; i < list_length(options); i++) {
        json_object *option = list_item(options, i);
        const char *name = catalogue_shown(option, locale_of(completer));
        char *start = must_format("%s:", name);
        if (catalogue_has_sub_commands(owner))
            offer(completer, name);
        else if (str_starts_with(completer->typed, str_from(start)))
            offer_option_values(completer, option, step);
        else
            offer(completer, start);
        free(start);
    }
}

/* The labels a click could mean, quoted. */
static void offer_buttons(struct completer *completer)
{
    const struct actor *actor = &completer->session->actor;
    const struct stored_message *message = store_newest(
        &completer->session->store, actor->place.channel_id, actor->person->id, NULL, STR_NONE);
    struct component_walk walk =
        component_walk_start(message ? get(message->data, "components") : NULL);
    for (json_object *component; message && (component = component_next(&walk));)
        if (component_type(component) == COMPONENT_BUTTON)
            offer_taken(completer, must_format("\"%s\"", get_text(component, "label")));
}

static void offer_labels(struct completer *completer)
{
    const struct modal *modal =
        session_form(completer->session, completer->session->actor.person->id);
    json_object *list = get(modal->data, "components");
    for (size_t i = 0; i < list_length(list); i++) {
        json_object *label = list_item(list, i), *field = get(label, "component");
        json_object *options = get(field, "options");
        if (component_type(field) != COMPONENT_CHECKBOX_GROUP)
            offer_taken(completer, must_format("\"%s\"", get_text(label, "label")));
        for (size_t o = 0; o < list_length(options); o++)
            offer_taken(completer, must_format("\"%s\"", get_text(list_item(options, o), "label")));
    }
}

void completions_find(struct session *session, struct str_view line, size_t start,
                      struct completions *completions)
{
    struct completer completer = { session,
                                   { line.data + start, line.length - start },
                                   completions };
    struct step step = { 0 };
    if (start == 0) {
        for (size_t i = 0; i < ARRAY_LENGTH(verbs); i++)
            offer(&completer, verbs[i]);
        offer_commands(&completer);
        return;
    }
    /* An open quote can't be parsed yet; labels are then looked for by the verb alone. */
    if (step_parse(&step, line, NULL) == 0 || step.count > 0) {
        const struct word *verb = &step.words[0];
        if (verb->text[0] == '/')
            offer_command_parts(&completer, &step);
        else if (word_is(verb, "as"))
            offer_people(&completer, "");
        else if (word_is(verb, "click"))
            offer_buttons(&completer);
        else
            offer_labels(&completer);
    }
    step_free(&step);
}

void completions_free(struct completions *completions)
{
    for (size_t i = 0; i < completions->count; i++)
        free(completions->words[i]);
    free(completions->words);
    *completions = (struct completions){ 0 };
}
