/* Reading webhook events: the envelope, and the data of those events the bot does something about.
 * An event lives in its own arena together with the texts it borrows. Any thread; the caller owns
 * what it gets. */
#include "discord/webhook_event.h"

#include "discord/interaction_json.h"

#include <string.h>

struct parsed_event {
    struct webhook_event event;
    struct arena arena;
};

static const struct str_view kind_names[] = {
    [EVENT_APPLICATION_AUTHORIZED] = STR("APPLICATION_AUTHORIZED"),
    [EVENT_APPLICATION_DEAUTHORIZED] = STR("APPLICATION_DEAUTHORIZED"),
    [EVENT_ENTITLEMENT_CREATE] = STR("ENTITLEMENT_CREATE"),
    [EVENT_ENTITLEMENT_UPDATE] = STR("ENTITLEMENT_UPDATE"),
    [EVENT_ENTITLEMENT_DELETE] = STR("ENTITLEMENT_DELETE"),
};

static enum webhook_event_kind kind_of(struct str_view name)
{
    size_t kind = 0;
    while (kind < ARRAY_LENGTH(kind_names) && !str_equal(kind_names[kind], name))
        kind++;
    return (enum webhook_event_kind)kind;
}

static struct parsed_event *parsed_new(void)
{
    struct arena arena = { 0 };
    struct parsed_event *parsed = arena_allocate(&arena, sizeof(*parsed));
    if (!parsed)
        return NULL;
    parsed->arena = arena;
    parsed->event.integration_type = INTEGRATION_UNKNOWN;
    return parsed;
}

static void parsed_free(struct parsed_event **parsed)
{
    if (!*parsed)
        return;
    struct arena arena = (*parsed)->arena; /* the struct is inside its own arena */
    arena_free(&arena);
}

static int parse_scope(const struct json_reader *reader, const struct json_place *place,
                       struct buf *joined)
{
    struct str_view scope;
    int code = json_get_text(reader, place, &scope);
    if (code < 0)
        return code;
    if (scope.length == 0 || scope.length > EVENT_SCOPE_LENGTH_MAX ||
        memchr(scope.data, ' ', scope.length))
        return json_fault(reader, place, "a word of 1 to %d bytes is needed",
                          EVENT_SCOPE_LENGTH_MAX);
    if (joined->length > 0)
        buf_append_char(joined, ' ');
    buf_append(joined, scope);
    return 0;
}

static int parse_scopes(const struct json_reader *reader, const struct json_place *data,
                        struct webhook_event *event)
{
    CLEANUP(buf_free) struct buf joined = { 0 };
    struct json_place scopes = json_member(data, "scopes");
    size_t count;
    int code = json_count_items(reader, &scopes, EVENT_SCOPES_MAX, &count);
    for (size_t i = 0; i < count && code == 0; i++) {
        struct json_place place = json_item(&scopes, i);
        code = parse_scope(reader, &place, &joined);
    }
    if (code < 0)
        return code;
    event->scopes = joined.has_failed ? STR_NONE : arena_copy(reader->arena, buf_view(&joined));
    return event->scopes.data || count == 0 ? 0 : err_set(reader->err, ERR_MEMORY, "event");
}

/* The id of the object called `key` inside `data`. */
static int parse_owner(const struct json_reader *reader, const struct json_place *data,
                       const char *key, int64_t *id)
{
    struct json_place owner = json_member(data, key);
    int code = json_need_object(reader, &owner);
    if (code < 0)
        return code;
    struct json_place place = json_member(&owner, "id");
    return json_get_id(reader, &place, id);
}

static int parse_authorization(const struct json_reader *reader, const struct json_place *data,
                               struct webhook_event *event)
{
    static const struct json_field fields[] = {
        JSON_FIELD(struct webhook_event, integration_type, JSON_INT),
    };
    int code = json_get_fields(reader, data, fields, ARRAY_LENGTH(fields), event);
    struct json_place guild = json_member(data, "guild");
    if (code == 0 && guild.value)
        code = parse_owner(reader, data, "guild", &event->guild_id);
    return code == 0 ? parse_scopes(reader, data, event) : code;
}

/* Who came or went, and when: the order of such events is told by their own time alone. */
static int parse_installation(const struct json_reader *reader, const struct json_place *body,
                              struct webhook_event *event)
{
    static const struct json_field fields[] = {
        { .name = "timestamp",
          .kind = JSON_TIMESTAMP,
          .is_required = true,
          .offset = offsetof(struct webhook_event, occurred_at_ms) },
    };
    int code = json_get_fields(reader, body, fields, ARRAY_LENGTH(fields), event);
    if (code < 0)
        return code;
    struct json_place timestamp = json_member(body, "timestamp");
    if (event->occurred_at_ms <= 0)
        return json_fault(reader, &timestamp, "an ISO 8601 time is needed");
    struct json_place data = json_member(body, "data");
    code = json_need_object(reader, &data);
    if (code == 0)
        code = parse_owner(reader, &data, "user", &event->user_id);
    if (code == 0 && event->kind == EVENT_APPLICATION_AUTHORIZED)
        code = parse_authorization(reader, &data, event);
    return code;
}

static int parse_event(const struct json_reader *reader, const struct json_place *root,
                       struct webhook_event *event)
{
    static const struct json_field type_fields[] = {
        JSON_NEEDED(struct webhook_event, type, JSON_INT),
    };
    static const struct json_field name_fields[] = {
        { .name = "type",
          .kind = JSON_TEXT,
          .is_required = true,
          .offset = offsetof(struct webhook_event, name) },
    };
    int code = json_get_fields(reader, root, type_fields, ARRAY_LENGTH(type_fields), event);
    if (code < 0 || event->type == EVENT_PING)
        return code;
    struct json_place type = json_member(root, "type");
    if (event->type != EVENT_HAPPENED)
        return json_fault(reader, &type, "events of type %d are not supported", event->type);
    struct json_place body = json_member(root, "event");
    code = json_get_object(reader, &body, name_fields, ARRAY_LENGTH(name_fields), event);
    if (code < 0)
        return code;
    event->kind = kind_of(event->name);
    bool is_installation = event->kind == EVENT_APPLICATION_AUTHORIZED ||
                           event->kind == EVENT_APPLICATION_DEAUTHORIZED;
    return is_installation ? parse_installation(reader, &body, event) : 0;
}

int webhook_event_parse(struct str_view body, struct webhook_event **event, struct err *err)
{
    *event = NULL;
    CLEANUP(parsed_free) struct parsed_event *parsed = parsed_new();
    if (!parsed)
        return err_set(err, ERR_MEMORY, "webhook event");
    CLEANUP(arena_free) struct arena nodes = { 0 };
    struct json_tree tree = { 0 };
    int code = json_read_tree(body, &parsed->arena, &nodes, &tree, err);
    if (code < 0)
        return code;
    const struct json_reader reader = { .arena = &parsed->arena, .err = err };
    const struct json_place root = { .value = tree.root };
    code = parse_event(&reader, &root, &parsed->event);
    if (code < 0)
        return code;
    *event = &STEAL(parsed)->event;
    return 0;
}

void webhook_event_free(struct webhook_event *event)
{
    if (!event)
        return;
    struct parsed_event *parsed = CONTAINER_OF(event, struct parsed_event, event);
    parsed_free(&parsed);
}
