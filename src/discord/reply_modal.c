/* Building modals and suggestions, see reply.c.
 * https://docs.discord.com/developers/components/reference#label */
#include "discord/reply_tree.h"

void reply_modal(struct reply *reply, struct str_view custom_id, struct str_view title)
{
    reply_choose_kind(reply, CALLBACK_MODAL);
    reply->modal_custom_id = reply_copy(reply, custom_id);
    reply->modal_title = reply_cut(reply, title, REPLY_TITLE_MAX);
}

/* A label and the one component inside it; NULL without memory. */
static struct node *add_labelled(struct reply *reply, struct str_view label,
                                 struct str_view description, int type)
{
    struct node *node = reply_add(reply, reply->open, COMPONENT_LABEL);
    if (!node)
        return NULL;
    node->text = reply_cut(reply, label, REPLY_LABEL_MAX);
    node->description = reply_cut(reply, description, REPLY_LABEL_TEXT_MAX);
    return reply_add(reply, node, type);
}

void reply_text_input(struct reply *reply, struct str_view label, struct str_view description,
                      const struct reply_text_input *input)
{
    struct node *node = add_labelled(reply, label, description, COMPONENT_TEXT_INPUT);
    if (!node)
        return;
    node->custom_id = reply_copy(reply, input->custom_id);
    node->style = input->is_paragraph ? 2 : 1;
    node->min = input->min_length;
    node->max = input->max_length == 0 ? REPLY_INPUT_LENGTH_MAX : input->max_length;
    node->is_optional = input->is_optional;
    node->value = reply_copy(reply, input->value);
    node->description = reply_cut(reply, input->placeholder, REPLY_INPUT_PLACEHOLDER);
}

void reply_labelled_select(struct reply *reply, struct str_view label, struct str_view description,
                           const struct reply_select *select)
{
    struct node *node = add_labelled(reply, label, description, (int)select->type);
    if (node)
        reply_fill_select(reply, node, select);
}

void reply_choice_group(struct reply *reply, struct str_view label, struct str_view description,
                        const struct reply_choice_group *group)
{
    struct node *node = add_labelled(reply, label, description, (int)group->type);
    if (!node)
        return;
    node->custom_id = reply_copy(reply, group->custom_id);
    reply_fill_options(reply, node, group->options, group->option_count);
    node->min = group->min_values;
    node->max = group->max_values;
    node->is_optional = group->is_optional;
}

void reply_checkbox(struct reply *reply, struct str_view label, struct str_view description,
                    struct str_view custom_id, bool is_checked)
{
    struct node *node = add_labelled(reply, label, description, COMPONENT_CHECKBOX);
    if (!node)
        return;
    node->custom_id = reply_copy(reply, custom_id);
    node->is_on = is_checked;
}

void reply_file_upload(struct reply *reply, struct str_view label, struct str_view description,
                       struct str_view custom_id, int min_files, int max_files)
{
    struct node *node = add_labelled(reply, label, description, COMPONENT_FILE_UPLOAD);
    if (!node)
        return;
    node->custom_id = reply_copy(reply, custom_id);
    node->min = min_files;
    node->max = max_files;
    node->is_optional = min_files == 0;
}

void reply_suggest_nothing(struct reply *reply)
{
    reply_choose_kind(reply, CALLBACK_AUTOCOMPLETE);
}

static struct suggestion *add_suggestion(struct reply *reply, struct str_view name)
{
    reply_choose_kind(reply, CALLBACK_AUTOCOMPLETE);
    if (reply->suggestion_count == REPLY_SUGGESTIONS_MAX) {
        reply_fault(reply, ERR_LIMIT, NULL, "more than 25 suggestions");
        return NULL;
    }
    struct suggestion *suggestion = &reply->suggestions[reply->suggestion_count++];
    suggestion->name = reply_cut(reply, name, REPLY_SUGGESTION_MAX);
    return suggestion;
}

void reply_suggest(struct reply *reply, struct str_view name, struct str_view value)
{
    struct suggestion *suggestion = add_suggestion(reply, name);
    if (suggestion)
        suggestion->text = reply_copy(reply, value);
}

void reply_suggest_integer(struct reply *reply, struct str_view name, int64_t value)
{
    struct suggestion *suggestion = add_suggestion(reply, name);
    if (!suggestion)
        return;
    suggestion->integer = value;
    suggestion->is_integer = true;
}
