/* What the judge knows of each type of component: its fields, its checks, what it holds. Internal
 * to the judge. https://docs.discord.com/developers/components/reference */
#ifndef SIMULATOR_JUDGE_KINDS_H
#define SIMULATOR_JUDGE_KINDS_H

#include "simulator/judge_rules.h"

enum component_kind {
    ROW = 1,
    BUTTON = 2,
    STRING_SELECT = 3,
    TEXT_INPUT = 4,
    USER_SELECT = 5,
    ROLE_SELECT = 6,
    MENTIONABLE_SELECT = 7,
    CHANNEL_SELECT = 8,
    SECTION = 9,
    TEXT_DISPLAY = 10,
    THUMBNAIL = 11,
    GALLERY = 12,
    FILE_DISPLAY = 13,
    SEPARATOR = 14,
    CONTAINER = 17,
    LABEL = 18,
    FILE_UPLOAD = 19,
    RADIO_GROUP = 21,
    CHECKBOX_GROUP = 22,
    CHECKBOX = 23,
    KIND_COUNT = 24,
};

#define BIT(kind) (UINT32_C(1) << (kind))
#define AUTO_SELECTS                                                                               \
    (BIT(USER_SELECT) | BIT(ROLE_SELECT) | BIT(MENTIONABLE_SELECT) | BIT(CHANNEL_SELECT))
#define SELECTS (BIT(STRING_SELECT) | AUTO_SELECTS)

enum place_kind {
    IN_NOTHING,
    IN_MESSAGE,
    IN_LEGACY_MESSAGE,
    IN_CONTAINER,
    IN_ROW,
    IN_SECTION,
    IN_ACCESSORY,
    IN_MODAL,
    IN_LABEL,
};

/* What no table of fields can say; `place` is where the component is. */
typedef void component_check(struct judgement *judgement, json_object *component,
                             enum place_kind place);

struct component_rule {
    const char *name; /* "a button" */
    const struct field_rule *rules;
    component_check *check; /* or NULL */
    enum place_kind inside; /* where its `components` (a label's `component`) are */
};

/* NULL for a number that is no component's type. */
const struct component_rule *component_rule_of(int64_t kind);

#endif
