/* /tos and /tosinfo, and the prompt that stops whoever has not accepted the current terms.
 *
 * A prompt's buttons carry the id of the command that was blocked (0 from /tos itself). "Read and
 * accept" opens a modal with the terms; submitting it records the acceptance, grants the welcome
 * bonus once, and runs the blocked command. Nothing is kept in memory: prompts work after restarts
 * and days later. */
#include "commands.h"
#include "economy.h"

#include "bronx/clock.h"
#include "bronx/erasure.h"
#include "bronx/language.h"
#include "bronx/tos.h"

#include <inttypes.h>

#define BUTTON_READ    "read"
#define BUTTON_DECLINE "decline"
#define MODAL_ACCEPT   "accept"
#define CHECKBOXES     "agreement"
#define CHECKBOX_VALUE "accepted"

/* Both buttons belong to /tos, whichever command's call shows them. */
static struct str_view tos_custom_id(const struct call *call, int64_t blocked_id,
                                     const char *argument)
{
    struct call as_tos = *call;
    as_tos.command = &tos_command;
    return call_custom_id(&as_tos, blocked_id, argument);
}

static void show_buttons(struct call *call, int64_t blocked_id)
{
    reply_row_begin(call->reply);
    reply_button(call->reply, &(struct reply_button){
                                  .style = BUTTON_SUCCESS,
                                  .label = tr_view(call, "Read and accept"),
                                  .custom_id = tos_custom_id(call, blocked_id, BUTTON_READ) });
    reply_button(call->reply, &(struct reply_button){
                                  .style = BUTTON_SECONDARY,
                                  .label = tr_view(call, "Decline"),
                                  .custom_id = tos_custom_id(call, blocked_id, BUTTON_DECLINE) });
    reply_row_end(call->reply);
}

static struct str_view when_to_begin_anew(struct call *call, const struct erasure *erasure)
{
    return arena_format(call->arena,
                        tr(call, "You deleted your data on <t:%" PRId64 ":D>. You can begin anew "
                                 "<t:%" PRId64 ":R>."),
                        erasure->erased_at_ms / MS_PER_SECOND,
                        erasure->closed_until_ms / MS_PER_SECOND);
}

/* Only whoever gets the bonus is promised it. */
static void show_invitation(struct call *call, bool is_bonus_waiting)
{
    const char *command = tr_name(call, call->command->name);
    const char *version = tos_current()->version;
    if (is_bonus_waiting)
        reply_text(call->reply,
                   tr(call, "Before you use `/%s`, please read and accept the Terms of Service, "
                            "version %s. It takes a minute, and **%.*s** are waiting for you as a "
                            "welcome."),
                   command, version, STR_ARGS(currency_show(call, TOS_WELCOME_BONUS)));
    else
        reply_text(call->reply,
                   tr(call, "Before you use `/%s`, please read and accept the Terms of Service, "
                            "version %s. It takes a minute."),
                   command, version);
}

int ask_for_terms(struct call *call, struct err *err)
{
    struct erasure erasure;
    int has_erased = erasure_find(call, &erasure, err);
    if (has_erased < 0)
        return has_erased;
    if (has_erased && erasure_is_closed(&erasure, call->now_ms))
        return call_refuse(call, "%.*s", STR_ARGS(when_to_begin_anew(call, &erasure)));
    struct str_view data = call_command_json(call);
    int64_t blocked_id = 0;
    if (data.length == 0 && call->interaction->type == INTERACTION_COMMAND)
        return err_set(err, ERR_MEMORY, "a command to be remembered");
    if (data.length > 0) {
        int result = tos_block(call, data, err);
        if (result != 0)
            return result;
        blocked_id = call->effect_id;
    }
    reply_ephemeral(call->reply);
    reply_container_begin(call->reply, COLOUR_GOLD);
    reply_text(call->reply, tr(call, "### Terms of Service"));
    show_invitation(call, !has_erased);
    show_buttons(call, blocked_id);
    reply_container_end(call->reply);
    return 0;
}

/* The terms are accepted as they are written, in English; whoever reads another language is told.
 */
static void show_terms(struct call *call)
{
    static const char note[] =
        TR("-# These terms are in English, and it is their English text that you accept.");
    const char *translated = tr(call, note);
    if (translated != note)
        reply_text(call->reply, "%s", translated);
    reply_text_view(call->reply, str_from(tos_current()->text));
}

static int show_modal(struct call *call)
{
    const struct reply_select_option agreement[] = {
        { .label = tr_view(call, "I have read and accept the terms"),
          .value = STR(CHECKBOX_VALUE) },
    };
    reply_modal(call->reply, call_custom_id(call, call->custom_id.row_id, MODAL_ACCEPT),
                tr_view(call, "Terms of Service"));
    show_terms(call);
    reply_choice_group(call->reply, tr_view(call, "Your agreement"), STR_NONE,
                       &(struct reply_choice_group){ .type = COMPONENT_CHECKBOX_GROUP,
                                                     .custom_id = STR(CHECKBOXES),
                                                     .options = agreement,
                                                     .option_count = 1,
                                                     .min_values = 1,
                                                     .max_values = 1 });
    return 0;
}

static int decline(struct call *call, struct err *err)
{
    int accepted = tos_has_accepted(call, err);
    if (accepted < 0)
        return accepted;
    if (accepted)
        return call_refuse(call,
                           tr(call, "You have accepted these terms already: nothing was changed."));
    int result = tos_decline(call, err);
    if (result != 0)
        return result;
    reply_update(call->reply);
    reply_text(call->reply,
               tr(call, "You declined the terms, and that is fine: nothing else has changed. "
                        "Should you change your mind, `/tos` brings you back here."));
    return 0;
}

static int component(struct call *call, struct err *err)
{
    if (str_equal(call->custom_id.argument, STR(BUTTON_DECLINE)))
        return decline(call, err);
    return show_modal(call);
}

static bool has_agreed(const struct call *call)
{
    const struct field_value *field = interaction_field(call->interaction, CHECKBOXES);
    return field && field->value_count == 1 && str_equal(field->values[0], STR(CHECKBOX_VALUE));
}

static int refuse_acceptance(struct call *call, struct err *err)
{
    struct erasure erasure;
    int has_erased = erasure_find(call, &erasure, err);
    if (has_erased == 0)
        return err_set(err, ERR_BUSY, "an erasure that has just run out");
    return has_erased < 0 ? has_erased
                          : call_refuse(call, "%.*s", STR_ARGS(when_to_begin_anew(call, &erasure)));
}

static int modal(struct call *call, struct err *err)
{
    if (!has_agreed(call))
        return call_refuse(call, tr(call, "Tick the box to accept the terms, or press Decline."));
    bool was_granted;
    int result = tos_accept(call, &was_granted, err);
    if (result == TOS_CLOSED)
        return refuse_acceptance(call, err);
    if (result != 0)
        return result;
    struct str_view welcome = tr_view(call, "Thank you: you have accepted the Terms of Service.");
    if (was_granted)
        welcome = arena_format(call->arena, tr(call, "**Welcome!** %.*s are in your wallet."),
                               STR_ARGS(currency_show(call, TOS_WELCOME_BONUS)));
    int64_t blocked_id = call->custom_id.row_id;
    struct tos_blocked blocked;
    int found = blocked_id ? tos_blocked_find(call, blocked_id, &blocked, err) : 0;
    if (found < 0)
        return found;
    if (found) {
        call->preface = welcome;
        return call_run_blocked(call, blocked.id, blocked.data, err);
    }
    reply_ephemeral(call->reply);
    reply_text_view(call->reply, welcome);
    reply_text(call->reply, blocked_id
                                ? tr(call, "Your command waited too long: please run it again.")
                                : tr(call, "Try `/daily` for your first reward."));
    return 0;
}

static int run(struct call *call, struct err *err)
{
    struct tos_status status;
    struct erasure erasure;
    int result = tos_status(call, &status, err);
    if (result != 0)
        return result;
    int has_erased = status.decision == TOS_ACCEPTED ? 0 : erasure_find(call, &erasure, err);
    if (has_erased < 0)
        return has_erased;
    const struct tos_version *terms = tos_current();
    int64_t decided_at = status.decided_at_ms / 1000;
    reply_ephemeral(call->reply);
    reply_container_begin(call->reply, COLOUR_GOLD);
    reply_text(call->reply, tr(call, "## Terms of Service %s"), terms->version);
    show_terms(call);
    reply_separator(call->reply, true);
    if (status.decision == TOS_ACCEPTED)
        reply_text(call->reply, tr(call, "You accepted these terms on <t:%" PRId64 ":D>."),
                   decided_at);
    else if (status.decision == TOS_DECLINED)
        reply_text(call->reply, tr(call, "You declined these terms on <t:%" PRId64 ":D>."),
                   decided_at);
    else
        reply_text(call->reply, tr(call, "You have not accepted these terms yet."));
    if (has_erased && erasure_is_closed(&erasure, call->now_ms))
        reply_text_view(call->reply, when_to_begin_anew(call, &erasure));
    else if (status.decision != TOS_ACCEPTED)
        show_buttons(call, 0);
    reply_container_end(call->reply);
    return 0;
}

static int run_info(struct call *call, struct err *err)
{
    struct tos_status status;
    int result = tos_status(call, &status, err);
    if (result != 0)
        return result;
    const struct tos_version *terms = tos_current();
    struct str_view acceptances = arena_format(
        call->arena, tr_plural(call, "%d acceptance", "%d acceptances", status.acceptance_count),
        status.acceptance_count);
    struct str_view declines = arena_format(
        call->arena, tr_plural(call, "%d decline", "%d declines", status.decline_count),
        status.decline_count);
    reply_ephemeral(call->reply);
    reply_container_begin(call->reply, COLOUR_GOLD);
    reply_text(call->reply, tr(call, "### Terms of Service: your record"));
    reply_text(call->reply, tr(call, "Current version: **%s**\nSHA-256 of its text: `%s`"),
               terms->version, terms->sha256);
    if (status.acceptance_count > 0)
        reply_text(call->reply, tr(call, "You accepted version **%.*s** on <t:%" PRId64 ":f>."),
                   STR_ARGS(status.accepted_version), status.accepted_at_ms / 1000);
    else
        reply_text(call->reply, tr(call, "You have not accepted any version yet."));
    reply_text(call->reply,
               tr(call,
                  "Stored about you: %.*s and %.*s, each with the version, the hash of its text, "
                  "the time, the server, your language and the interaction's id."),
               STR_ARGS(acceptances), STR_ARGS(declines));
    reply_container_end(call->reply);
    return 0;
}

const struct command tos_command = {
    .name = "tos",
    .description = TR("Read the Terms of Service and see whether you accepted them"),
    .category = CATEGORY_START,
    .contexts = IN_ALL,
    .is_ephemeral = true,
    .run = run,
    .component = component,
    .modal = modal,
    .component_version = 1,
};

const struct command tosinfo_command = {
    .name = "tosinfo",
    .description = TR("Which terms you accepted, when, and what is stored about it"),
    .category = CATEGORY_START,
    .contexts = IN_ALL,
    .is_ephemeral = true,
    .run = run_info,
};
