/* Whether the engine and Discord can take the wizards of all commands. Run once at the start, by
 * one thread; reads constant tables only. The first fault ends the check. */
#include "bronx/wizard.h"

#include <string.h>

/* https://docs.discord.com/developers/interactions/receiving-and-responding#interaction-response-object-modal
 */
#define TITLE_MAX_UNITS 45

static const struct option *find_option(const struct command *command, const char *name)
{
    const struct option *option = command->options;
    while (option && option->name && strcmp(option->name, name) != 0)
        option++;
    return option && option->name ? option : NULL;
}

static int check_title(const char *english, struct err *err)
{
    const char *locale;
    size_t units = language_longest(english, &locale);
    if (units <= TITLE_MAX_UNITS)
        return 0;
    return err_set(err, ERR_INVALID, "'%s' has %zu characters in %s; a form's title has %d",
                   english, units, locale, TITLE_MAX_UNITS);
}

/* Steps above the last one have no page: a field there would never be asked for. */
static int check_steps(const struct wizard *wizard, struct err *err)
{
    int steps = 0;
    for (; wizard->steps[steps].title; steps++) {
        int count = 0, result = check_title(wizard->steps[steps].title, err);
        if (result != 0)
            return result;
        for (const struct field *field = wizard->fields; field->key; field++)
            count += field->step == steps;
        if (count > WIZARD_FIELDS_MAX)
            return err_set(err, ERR_INVALID, "'%s' asks for %d fields; a form holds %d",
                           wizard->steps[steps].title, count, WIZARD_FIELDS_MAX);
    }
    for (const struct field *field = wizard->fields; field->key; field++)
        if (field->step < 0 || field->step >= steps)
            return err_set(err, ERR_INVALID, "%s: there is no step %d", field->key, field->step);
    return 0;
}

static int check_wizard(const struct command *command, const struct wizard *wizard, struct err *err)
{
    if (!find_option(command, wizard->name))
        return err_set(err, ERR_INVALID, "no sub-command of that name opens it");
    if (!wizard->title || !wizard->done || !wizard->load || !wizard->save ||
        !wizard->explain_conflict)
        return err_set(err, ERR_INVALID, "title, done, load, save or explain_conflict is missing");
    int result = field_list_check(wizard->fields, err);
    return result == 0 ? check_steps(wizard, err) : result;
}

static int check_command(const struct command *command, struct err *err)
{
    if (command->component != wizard_click || command->modal != wizard_click)
        return err_set(err, ERR_INVALID, "%s: its wizards need wizard_click for clicks and forms",
                       command->name);
    if (!command->wizards)
        return err_set(err, ERR_INVALID, "%s: wizard_click needs wizards", command->name);
    for (const struct wizard *const *wizard = command->wizards; *wizard; wizard++) {
        int result = check_wizard(command, *wizard, err);
        if (result != 0)
            return err_wrap(err, "%s.%s", command->name, (*wizard)->name);
    }
    return 0;
}

int wizard_list_check(const struct command *const *commands, struct err *err)
{
    int result = 0;
    for (; *commands && result == 0; commands++)
        if ((*commands)->wizards || (*commands)->component == wizard_click ||
            (*commands)->modal == wizard_click)
            result = check_command(*commands, err);
    return result;
}
