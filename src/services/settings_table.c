/* Every setting there is: its default, its bounds, what people read about it. A new one is a line
 * here and a member of its struct in bronx/settings.h: docs/adding-a-setting.md. */
#include "bronx/settings.h"

#include "bronx/clock.h"
#include "bronx/emoji.h"
#include "bronx/services.h"

/* Where a person set "nothing more than this": far above what anybody owns. */
#define COINS_MAX    INT64_C(1000000000000)
/* Longest time-out: https://docs.discord.com/developers/resources/guild#modify-guild-member */
#define TIME_OUT_MAX (28 * INT64_C(1440))

/* https://docs.discord.com/developers/resources/channel#channel-object-channel-types */
enum {
    GUILD_TEXT = 0,
    GUILD_VOICE = 2,
    GUILD_ANNOUNCEMENT = 5,
    GUILD_STAGE = 13,
    GUILD_FORUM = 15
};

static const int places_to_answer[] = { GUILD_TEXT,  GUILD_VOICE, GUILD_ANNOUNCEMENT,
                                        GUILD_STAGE, GUILD_FORUM, -1 };
static const int places_to_post[] = { GUILD_TEXT, GUILD_ANNOUNCEMENT, -1 };

static bool has_voteban(const struct call *call, const struct field_values *values)
{
    (void)values;
    const struct command *const *commands = call->services->commands;
    return commands && command_find(commands, STR("voteban"));
}

/* "5 100 coins" would be read as an amount. Nobody sees the digits of an emoji. */
static const char *reject_digits(const struct call *call, struct str_view value)
{
    (void)call;
    if (emoji_is_custom(value))
        return NULL;
    for (size_t i = 0; i < value.length; i++)
        if (char_is_digit(value.data[i]))
            return TR("A symbol with digits would be read as part of the amount.");
    return NULL;
}

/* Nor "1,000 000", by a name. */
static const char *reject_leading_digit(const struct call *call, struct str_view value)
{
    (void)call;
    return value.length > 0 && char_is_digit(value.data[0])
               ? TR("A name that begins with a digit would be read as part of the amount.")
               : NULL;
}

const struct wizard_step server_steps[] = {
    [SERVER_LOOK] = { TR("Currency"), TR("What coins are called in this server.") },
    [SERVER_SWITCHES] = { TR("Features"),
                          TR("Commands that are switched off say so to whoever tries them.") },
    [SERVER_LIMITS] = { TR("Limits"),
                        TR("So that nobody wins or loses everything in one evening.") },
    [SERVER_PLACES] = { TR("Places"), TR("Where the bot answers, and where it posts by itself.") },
    [SERVER_VOTEBAN] = { TR("Vote-ban"),
                         TR("Members can vote to time out somebody who misbehaves.") },
    { NULL, NULL },
};

#define SERVER(name) .member = offsetof(struct server_settings, name)

const struct field server_fields[] = {
    { .key = "currency_name",
      .label = TR("Name of the currency"),
      .help = TR("What coins are called here, in the plural: gems, cookies. Up to 20 characters."),
      .kind = FIELD_TEXT,
      .initial = "",
      .min = 1,
      .max = 20,
      .is_optional = true,
      .none = TR("coins"),
      .step = SERVER_LOOK,
      .reject = reject_leading_digit,
      SERVER(currency_name) },
    { .key = "currency_symbol",
      .label = TR("Symbol of the currency"),
      .help = TR("Shown before every amount: an emoji, or up to 3 characters."),
      .kind = FIELD_TEXT,
      .initial = "",
      .min = 1,
      .max = 3,
      .may_be_emoji = true,
      .is_optional = true,
      .none = TR("none"),
      .step = SERVER_LOOK,
      .reject = reject_digits,
      SERVER(currency_symbol) },

    { .key = "economy",
      .label = TR("Economy"),
      .help = TR("Earning, saving and paying coins: /daily, /pay and the like."),
      .kind = FIELD_TOGGLE,
      .initial = "on",
      .step = SERVER_SWITCHES,
      SERVER(has_economy) },
    { .key = "games",
      .label = TR("Games"),
      .help = TR("Games for coins."),
      .kind = FIELD_TOGGLE,
      .initial = "on",
      .step = SERVER_SWITCHES,
      SERVER(has_games) },
    { .key = "shop",
      .label = TR("Shop"),
      .help = TR("Buying, owning and giving things."),
      .kind = FIELD_TOGGLE,
      .initial = "on",
      .step = SERVER_SWITCHES,
      SERVER(has_shop) },
    { .key = "voting",
      .label = TR("Voting"),
      .help = TR("Polls and votes of members."),
      .kind = FIELD_TOGGLE,
      .initial = "on",
      .step = SERVER_SWITCHES,
      SERVER(has_voting) },

    { .key = "max_bet",
      .label = TR("Highest bet"),
      .help = TR("The most coins one bet in a game can be. Empty: no limit."),
      .kind = FIELD_NUMBER,
      .initial = "100000",
      .min = 1,
      .max = COINS_MAX,
      .is_optional = true,
      .none = TR("no limit"),
      .unit = UNIT_COINS,
      .step = SERVER_LIMITS,
      SERVER(max_bet) },
    { .key = "pay_daily_cap",
      .label = TR("Daily limit of /pay"),
      .help = TR("The most coins one member can pay to others in a day. Empty: no limit."),
      .kind = FIELD_NUMBER,
      .initial = "50000",
      .min = 1,
      .max = COINS_MAX,
      .is_optional = true,
      .none = TR("no limit"),
      .unit = UNIT_COINS,
      .step = SERVER_LIMITS,
      SERVER(pay_daily_cap) },
    { .key = "min_account_age_days",
      .label = TR("Minimum account age"),
      .help = TR("Younger Discord accounts can't use economy, games, shop and voting. In days. "
                 "Empty: any age."),
      .kind = FIELD_NUMBER,
      .initial = "0",
      .min = 1,
      .max = 365,
      .is_optional = true,
      .none = TR("any age"),
      .unit = UNIT_DAYS,
      .step = SERVER_LIMITS,
      SERVER(min_account_age_days) },

    { .key = "channels",
      .label = TR("Where the bot answers"),
      .help = TR("Economy, games, shop and voting work in these channels only. None: everywhere."),
      .kind = FIELD_CHANNEL,
      .initial = "",
      .min = 1,
      .max = 25,
      .is_optional = true,
      .none = TR("everywhere"),
      .channel_types = places_to_answer,
      .step = SERVER_PLACES,
      SERVER(channels) },
    { .key = "announcement_channel",
      .label = TR("Channel for announcements"),
      .help = TR("What all members should know is posted here: switches and limits that changed."),
      .kind = FIELD_CHANNEL,
      .initial = "",
      .min = 1,
      .max = 1,
      .is_optional = true,
      .none = TR("none"),
      .channel_types = places_to_post,
      .step = SERVER_PLACES,
      SERVER(announcement_channel) },
    { .key = "log_channel",
      .label = TR("Log channel"),
      .help = TR("Every change of these settings is posted here, with who made it."),
      .kind = FIELD_CHANNEL,
      .initial = "",
      .min = 1,
      .max = 1,
      .is_optional = true,
      .none = TR("none"),
      .channel_types = places_to_post,
      .step = SERVER_PLACES,
      SERVER(log_channel) },

    { .key = "voteban",
      .label = TR("Vote-ban"),
      .help = TR("Members can vote to time somebody out."),
      .kind = FIELD_TOGGLE,
      .initial = "off",
      .step = SERVER_VOTEBAN,
      .applies = has_voteban,
      SERVER(has_voteban) },
    { .key = "voteban_votes",
      .label = TR("Votes that close a vote-ban"),
      .help = TR("So many votes, for and against, end the vote."),
      .kind = FIELD_NUMBER,
      .initial = "25",
      .min = 5,
      .max = 100,
      .unit = UNIT_VOTES,
      .step = SERVER_VOTEBAN,
      .applies = has_voteban,
      SERVER(voteban_votes) },
    { .key = "voteban_score",
      .label = TR("Votes needed for a time-out"),
      .help = TR("How far those in favour must be ahead."),
      .kind = FIELD_NUMBER,
      .initial = "15",
      .min = 1,
      .max = 100,
      .unit = UNIT_VOTES,
      .step = SERVER_VOTEBAN,
      .applies = has_voteban,
      SERVER(voteban_score) },
    { .key = "voteban_minutes",
      .label = TR("Length of the time-out"),
      .help = TR("For example 7 days, 12h or 90m; at most 28 days."),
      .kind = FIELD_DURATION,
      .initial = "10080",
      .min = 1,
      .max = TIME_OUT_MAX,
      .step = SERVER_VOTEBAN,
      .applies = has_voteban,
      SERVER(voteban_minutes) },
    { .key = NULL },
};

/* --- People --- */

static const struct field_choice privacy_choices[] = {
    [PRIVACY_PUBLIC] = { "public", TR("Public"), TR("Others can see your balance.") },
    [PRIVACY_PRIVATE] = { "private", TR("Private"), TR("Your balance is for you alone.") },
    { NULL, NULL, NULL },
};

static const struct field_choice notification_choices[] = {
    [NOTIFY_ALL] = { "all", TR("All"), TR("You are pinged when somebody pays you, and the like.") },
    [NOTIFY_IMPORTANT] = { "important", TR("Important"),
                           TR("You are pinged only about what you should not miss.") },
    [NOTIFY_NONE] = { "none", TR("None"), TR("Nothing pings you.") },
    { NULL, NULL, NULL },
};

static const struct field_choice cool_off_choices[] = {
    { "0", TR("No break"), NULL }, { "1", TR("1 day"), NULL },    { "3", TR("3 days"), NULL },
    { "7", TR("7 days"), NULL },   { "30", TR("30 days"), NULL }, { NULL, NULL, NULL },
};

/* settings_save keeps the longer one, too: this says it to the person in time. */
static const char *reject_shorter(const struct call *call, struct str_view value)
{
    int64_t until_ms, running_ms = call->person->cool_off_until_ms;
    bool is_shorter = str_to_uint63(value, &until_ms) != 0 || until_ms < running_ms;
    return running_ms > call->now_ms && is_shorter
               ? TR("Your break from games has begun and can't be made shorter, only longer.")
               : NULL;
}

const struct wizard_step user_steps[] = {
    [USER_ABOUT] = { TR("About you"), TR("These hold in every server.") },
    [USER_LIMITS] = { TR("Your own limits"),
                      TR("For games, and beside those of a server: the stricter one counts.") },
    { NULL, NULL },
};

#define PERSON(name) .member = offsetof(struct user_settings, name)

const struct field user_fields[] = {
    { .key = "time_zone",
      .label = TR("Time zone"),
      .help = TR("Your day begins by it. Type a city, or a name like Europe/Madrid."),
      .kind = FIELD_TIME_ZONE,
      .initial = "UTC",
      .step = USER_ABOUT,
      PERSON(time_zone) },
    { .key = "privacy",
      .label = TR("Privacy"),
      .help = TR("Who can see your balance."),
      .kind = FIELD_RADIO,
      .initial = "public",
      .choices = privacy_choices,
      .step = USER_ABOUT,
      PERSON(privacy) },
    { .key = "notifications",
      .label = TR("Notifications"),
      .help = TR("What may ping you."),
      .kind = FIELD_RADIO,
      .initial = "all",
      .choices = notification_choices,
      .step = USER_ABOUT,
      PERSON(notifications) },

    { .key = "max_bet",
      .label = TR("Your highest bet"),
      .help = TR("The most you let yourself bet at once. Empty: no limit of your own."),
      .kind = FIELD_NUMBER,
      .initial = "0",
      .min = 1,
      .max = COINS_MAX,
      .is_optional = true,
      .none = TR("no limit"),
      .unit = UNIT_COINS,
      .step = USER_LIMITS,
      PERSON(max_bet) },
    { .key = "loss_limit",
      .label = TR("Your daily loss limit"),
      .help = TR("No more bets on a day when so much is lost. A higher limit counts a day later. "
                 "Empty: no limit."),
      .kind = FIELD_NUMBER,
      .initial = "0",
      .min = 1,
      .max = COINS_MAX,
      .is_optional = true,
      .none = TR("no limit"),
      .unit = UNIT_COINS,
      .step = USER_LIMITS,
      PERSON(loss_limit) },
    { .key = "cool_off",
      .label = TR("Break from games"),
      .help = TR("No games for so long, anywhere. Once begun it can't be made shorter."),
      .kind = FIELD_UNTIL,
      .initial = "0",
      .is_optional = true,
      .none = TR("no break"),
      .choices = cool_off_choices,
      .step = USER_LIMITS,
      .reject = reject_shorter,
      PERSON(cool_off_until_ms) },
    { .key = NULL },
};

const struct field *settings_fields(enum settings_scope scope)
{
    return scope == SETTINGS_OF_SERVER ? server_fields : user_fields;
}

const struct wizard_step *settings_steps(enum settings_scope scope)
{
    return scope == SETTINGS_OF_SERVER ? server_steps : user_steps;
}
