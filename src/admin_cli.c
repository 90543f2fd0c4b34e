/* One request, and what is said when it is refused; nothing is kept. */
#include "admin_cli.h"

#include "http/admin.h"

#include <json-c/json.h>

void admin_ask(const struct config *config, const char *path, bool is_change,
               struct fetch_answer *answer)
{
    static const struct fetch_request look = { .method = "GET" };
    static const struct fetch_request change = { .method = "POST",
                                                 .headers = { ADMIN_HEADER ": 1" },
                                                 .body = { "", 0 } };
    fetch_at(&config->admin_listen, path, is_change ? &change : &look, answer);
}

int admin_refusal(const struct fetch_answer *answer, int code, struct err *err)
{
    struct json_object *root = json_tokener_parse(answer->body.data ? answer->body.data : "");
    struct json_object *reason = NULL;
    json_object_object_get_ex(root, "error", &reason);
    err_set(err, code, "the bot on ADMIN_LISTEN: %d %s", answer->status,
            reason ? json_object_get_string(reason) : "");
    json_object_put(root);
    return code;
}
