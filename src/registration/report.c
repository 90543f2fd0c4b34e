/* Nothing here decides anything. */
#include "registration/report.h"

#include "discord/command_diff.h"

#include <stdio.h>

struct outcome_row {
    const char *word; /* in JSON */
    const char *sentence;
};

static const struct outcome_row outcomes[] = {
    [SCOPE_UNTOUCHED] = { "untouched", "not looked at" },
    [SCOPE_REMEMBERED] = { "remembered",
                           "unchanged since it was last registered; Discord was not asked" },
    [SCOPE_EQUAL] = { "equal", "Discord has what is wanted; nothing to do" },
    [SCOPE_PLANNED] = { "planned", "a dry run; nothing was changed" },
    [SCOPE_REFUSED] = { "refused", "refused; nothing was changed" },
    [SCOPE_FAILED] = { "failed", "not replaced, as far as is known" },
    [SCOPE_REPLACED] = { "replaced", "replaced" },
};

static void warn_of_doubles(const struct scope *scope)
{
    for (size_t i = 0; scope->doubled && i < json_object_array_length(scope->doubled); i++)
        fprintf(stderr, "bronxbot: %s is both global and in server %s: people there see it twice\n",
                json_object_get_string(json_object_array_get_idx(scope->doubled, i)), scope->name);
}

static void print_text(const struct scope *scope)
{
    CLEANUP(buf_free) struct buf text = { 0 };
    if (scope->outcome == SCOPE_UNTOUCHED)
        return; /* the error says why */
    if (scope->difference)
        command_diff_print(scope->difference, &text);
    printf("%.*s%s: %s\n", STR_ARGS(buf_view(&text)), scope->name,
           outcomes[scope->outcome].sentence);
}

static const char *text_of(struct json_object *value)
{
    const char *text = json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN |
                                                                 JSON_C_TO_STRING_NOSLASHESCAPE);
    return text ? text : "null";
}

static void print_json(const struct scope *scope, bool is_first)
{
    printf("%s{\"scope\":\"%s\",\"outcome\":\"%s\",\"needs_prune\":%s", is_first ? "" : ",",
           scope->name, outcomes[scope->outcome].word, scope->needs_prune ? "true" : "false");
    printf(",\"difference\":%s", text_of(scope->difference));
    printf(",\"doubled\":%s}", text_of(scope->doubled));
}

void register_report_print(const struct register_report *report)
{
    bool is_json = report->options->is_json;
    if (is_json)
        printf("{\"dry_run\":%s,\"requests\":%d,\"scopes\":[",
               report->options->is_dry_run ? "true" : "false", report->request_count);
    for (int i = 0; i < report->scope_count; i++) {
        const struct scope *scope = &report->scopes[i];
        if (is_json)
            print_json(scope, i == 0);
        else
            print_text(scope);
        warn_of_doubles(scope);
        if (scope->outcome == SCOPE_PLANNED && scope->needs_prune && !report->options->may_prune)
            fprintf(stderr, "bronxbot: %s: without --prune this would be refused\n", scope->name);
    }
    if (is_json)
        puts("]}");
}
