/* The inside of a reply: a tree of components in the call's arena, built by reply.c and
 * reply_modal.c, checked by reply_check.c, written by reply_write.c.
 *
 * Building copies and cuts texts and remembers misuse; it judges nothing else. All limits are
 * checked in one walk over the finished tree, so the fault that is reported is the first one a
 * reader of the message would find. */
#ifndef DISCORD_REPLY_TREE_H
#define DISCORD_REPLY_TREE_H

#include "bronx/custom_id.h"
#include "bronx/reply.h"

#include "core/json_out.h"

/* https://docs.discord.com/developers/components/reference */
#define REPLY_COMPONENTS_MAX       40   /* in a message, nested ones included */
#define REPLY_MODAL_COMPONENTS_MAX 5    /* at the top of a modal */
#define REPLY_TEXT_MAX             4000 /* of all text displays together */
#define REPLY_BUTTON_LABEL_MAX     80
#define REPLY_BUTTON_URL_MAX       512
#define REPLY_MEDIA_URL_MAX        2048
#define REPLY_MEDIA_TEXT_MAX       1024
#define REPLY_OPTION_TEXT_MAX      100 /* label, value and description of an option */
#define REPLY_SELECT_OPTIONS_MAX   25
#define REPLY_PLACEHOLDER_MAX      150
#define REPLY_INPUT_LENGTH_MAX     4000
#define REPLY_INPUT_PLACEHOLDER    100
#define REPLY_LABEL_MAX            45
#define REPLY_LABEL_TEXT_MAX       100
#define REPLY_TITLE_MAX            45
#define REPLY_GROUP_OPTIONS_MAX    10
#define REPLY_UPLOADS_MAX          10
#define REPLY_SUGGESTIONS_MAX      25
#define REPLY_SUGGESTION_MAX       100
/* https://docs.discord.com/developers/resources/message#allowed-mentions-object */
#define REPLY_MENTIONS_MAX         100
/* https://docs.discord.com/developers/reference#uploading-files */
#define REPLY_FILES_MAX            10
#define REPLY_FILE_BYTES_MAX       ((size_t)10 * 1024 * 1024)
#define REPLY_FILENAME_MAX         100

/* Node types that are no components of Discord's. */
#define NODE_ROOT                  (-1)
#define NODE_PICTURE               0 /* an item of a media gallery */

struct node {
    int type; /* enum component_type, NODE_ROOT or NODE_PICTURE */
    struct node *parent, *next, *first, *last;
    int index;         /* among its siblings, the accessory apart */
    int child_count;   /* the accessory apart */
    bool is_accessory; /* of a section */

    struct str_view custom_id;
    struct str_view text;        /* content of a text, label of a button or label */
    struct str_view description; /* of a label or medium; placeholder of a select or input */
    struct str_view url;
    struct str_view value; /* filled into a text input; emoji of a button */
    const struct reply_select_option *options;
    int option_count;
    const int64_t *default_ids;
    int default_id_count;
    const int *channel_types;
    int channel_type_count;
    int style;        /* of a button or text input; colour of a container */
    int min, max;     /* values or length */
    bool is_disabled; /* buttons and selects */
    bool is_optional; /* what is in a label */
    bool is_on;       /* a checkbox is checked, a separator has a line */
    bool has_emoji;
};

struct suggestion {
    struct str_view name;
    struct str_view text;
    int64_t integer;
    bool is_integer;
};

struct id_list {
    int64_t ids[REPLY_MENTIONS_MAX];
    int count;
};

struct reply {
    struct arena *arena;
    const struct interaction *interaction;
    enum callback_type kind;
    bool is_kind_chosen; /* a second, other choice is a fault */
    bool is_ephemeral;
    struct node root;
    struct node *open; /* what the next component goes into */
    struct str_view modal_custom_id, modal_title;
    struct suggestion suggestions[REPLY_SUGGESTIONS_MAX];
    int suggestion_count;
    struct id_list mentioned_users, mentioned_roles;
    struct reply_attachment files[REPLY_FILES_MAX];
    int file_count;
    size_t file_bytes;

    /* The first misuse; code 0 when there is none. */
    int fault_code;
    const struct node *fault_node; /* NULL: the answer as a whole */
    const char *fault_reason;
};

/* Remembers the first fault. `reason` is static text. */
void reply_fault(struct reply *reply, int code, const struct node *node, const char *reason);

void reply_fault_memory(struct reply *reply);

/* A new component inside the one that is open; NULL without memory. */
struct node *reply_add(struct reply *reply, struct node *parent, int type);

/* Says what kind of answer this is. */
void reply_choose_kind(struct reply *reply, enum callback_type kind);

/* A copy, cut to `max` UTF-16 units, the last of which is then an ellipsis. Absent stays absent. */
struct str_view reply_cut(struct reply *reply, struct str_view text, size_t max);
struct str_view reply_cut_in(struct arena *arena, struct str_view text, size_t max);
struct str_view reply_copy(struct reply *reply, struct str_view text);
void reply_fill_options(struct reply *reply, struct node *node,
                        const struct reply_select_option *options, int count);
void reply_fill_select(struct reply *reply, struct node *node, const struct reply_select *select);

/* The next node in the order of the message; NULL after the last. Begin with the root. */
const struct node *reply_next_node(const struct reply *reply, const struct node *node);

/* Everything Discord would refuse. `is_edit`: there is no "data" around the message. */
int reply_check(const struct reply *reply, bool is_edit, struct err *err) MUST_CHECK;

#endif
