/* The strict judge: is this HTTP answer one that Discord would take?
 *
 * It shares no code with the bot's reply builder, so that a misunderstanding there is seen here.
 * Rules: https://docs.discord.com/developers/interactions/receiving-and-responding and
 * https://docs.discord.com/developers/components/reference. Where Discord is known to accept what
 * nobody means (a mass ping, an unknown field), the judge still refuses. */
#ifndef SIMULATOR_JUDGE_H
#define SIMULATOR_JUDGE_H

#include "simulator/violations.h"

#include <json-c/json.h>

#define JUDGE_DEADLINE_MS    3000         /* of the first answer */
#define JUDGE_BODY_MAX       (150 * 1024) /* bytes of an inline answer */
#define JUDGE_COMPONENTS_MAX 40           /* in a Components V2 message, nested ones included */
#define JUDGE_TEXT_MAX       4000         /* of all texts of a message, UTF-16 units */

enum {
    FLAG_SUPPRESS_EMBEDS = 1 << 2,
    FLAG_EPHEMERAL = 1 << 6,
    FLAG_SUPPRESS_NOTIFICATIONS = 1 << 12,
    FLAG_COMPONENTS_V2 = 1 << 15
};

enum {
    CALLBACK_PONG = 1,
    CALLBACK_MESSAGE = 4,
    CALLBACK_DEFERRED_MESSAGE = 5,
    CALLBACK_DEFERRED_UPDATE = 6,
    CALLBACK_UPDATE = 7,
    CALLBACK_CHOICES = 8,
    CALLBACK_MODAL = 9,
};

/* What the answer answers. */
struct judge_question {
    int interaction_type;    /* 1 ping, 2 command, 3 component, 4 autocomplete, 5 modal submit */
    bool has_message;        /* a modal submit whose modal a component opened */
    bool message_is_v2;      /* an update can't take IS_COMPONENTS_V2 away again */
    int focused_option_type; /* autocomplete: 3 string, 4 integer, 10 number; 0: any */
};

struct judge_answer {
    int status;
    const char *content_type;
    struct str_view body;
    int64_t elapsed_ms;
};

/* Adds what is wrong to `violations`. Returns the answer as JSON (the caller's reference) when it
 * can be shown all the same, or NULL. */
json_object *judge(const struct judge_question *question, const struct judge_answer *answer,
                   struct violations *violations);

/* A body sent to a webhook, a follow-up (POST) or an edit (PATCH), or to a channel.
 * https://docs.discord.com/developers/resources/webhook#edit-webhook-message */
struct judge_webhook {
    bool is_edit, is_channel;
    bool message_is_v2;      /* an edit can't take IS_COMPONENTS_V2 away again */
    const int *file_numbers; /* the n of files[n] that came along */
    size_t file_count;
};

/* Adds what is wrong to `findings`, each "path: reason". Returns the body as JSON, or NULL with one
 * finding when it is no JSON object. */
json_object *judge_webhook_body(const struct judge_webhook *webhook, struct str_view body,
                                struct violations *findings);

#endif
