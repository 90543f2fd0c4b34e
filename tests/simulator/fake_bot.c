/* A bot with canned answers for the simulator's own test: it checks signatures and otherwise does
 * what the table says, good and bad. One thread serves both sockets' requests in turn.
 *
 *   fake-bot serve                 LISTEN and ADMIN_LISTEN are unix sockets
 *   fake-bot commands --json       what it would register */
#include "simulator/fake_bot_rest.h"

#include "harness/memory.h"

#include <microhttpd.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Longer than DEFER_AFTER_MS in scenes, less than Discord waits. */
#define TARDY_MS 2600

static const char *const plain_commands[] = {
    "secret",   "form",  "slow",   "count",  "fault",  "later", "think",
    "whisper",  "chain", "early",  "vanish", "clumsy", "hasty", "greedy",
    "register", "offer", "chance", "bad",    "silent", "tardy",
};

/* Those with options; ' stands for ". */
static const char other_commands[] =
    "{'name':'hello','description':'d','options':[{'name':'who','description':'d','type':6},"
    "{'name':'times','description':'d','type':4,'min_value':1,'max_value':5}]},"
    "{'name':'set','description':'d','options':[{'name':'colour','description':'d','type':1,"
    "'options':[{'name':'value','description':'d','type':3,'required':true,'choices':[{'name':"
    "'Dark red','value':'r'}]}]}]},"
    "{'name':'find','description':'d','options':[{'name':'word','description':'d','type':3,"
    "'required':true,'autocomplete':true}]}";

#define MESSAGE(flags, components)                                                                 \
    "{'type':4,'data':{'flags':" flags                                                             \
    ",'allowed_mentions':{'parse':[]},'components':[" components "]}}"
#define TEXT(content) "{'type':10,'content':'" content "'}"
#define ROW(children) "{'type':1,'components':[" children "]}"

/* ' stands for ", % for the person's id, # for how many requests there were, ^ for the bot's
 * process id, ~ for the first value that was given. */
static const struct {
    const char *name; /* of the command, or custom_id; "auto" for autocompletion */
    int status;
    const char *answer;
} answers[] = {
    { "hello", 200,
      MESSAGE(
          "32768",
          "{'type':17,'accent_color':255,'components':[" TEXT("# Hello\\n**dear** <@%> ~") "," ROW(
              "{'type':2,'style':1,'label':'Again','custom_id':'again'},"
              "{'type':2,'style':2,'label':'Off','custom_id':'off','disabled':true}") "]}") },
    { "again", 200,
      "{'type':7,'data':{'flags':32768,'allowed_mentions':{'parse':[]},'components':[" TEXT(
          "Hello again") "," ROW("{'type':3,'custom_id':'pick','placeholder':'Pick one','options':"
                                 "[{'label':'One','value':'1'},{'label':'Two','value':'2'}]}") "]}"
                                                                                               "}" },
    { "pick", 200, MESSAGE("32832", TEXT("You picked ~")) },
    { "secret", 200, MESSAGE("32832", TEXT("for your eyes")) },
    { "later", 200, "{'type':5}" },
    { "tardy", 200, "{'type':5}" },
    { "think", 200, "{'type':5}" },
    { "whisper", 200, "{'type':5,'data':{'flags':64}}" },
    { "chain", 200, "{'type':5}" },
    { "early", 200, "{'type':5}" },
    { "vanish", 200, "{'type':5}" },
    { "clumsy", 200, "{'type':5}" },
    { "hasty", 200, "{'type':5}" },
    { "greedy", 200, "{'type':5}" },
    { "offer", 200,
      MESSAGE("32768",
              TEXT("Soon?") "," ROW("{'type':2,'style':1,'label':'Soon','custom_id':'soon'}")) },
    { "soon", 200, "{'type':6}" },
    { "register", 200, MESSAGE("32832", TEXT("Registering")) },
    { "chance", 200, MESSAGE("32768", TEXT("Rolled ^")) },
    { "count", 200, MESSAGE("32768", TEXT("request #")) },
    { "fault", 200, MESSAGE("32832", TEXT("Something broke (error 7f3a-91)")) },
    { "set", 200, MESSAGE("32768", TEXT("set to ~")) },
    { "bad", 200, "{'type':4,'data':{'content':'@everyone'}}" },
    { "silent", 500, "" },
    { "form", 200,
      "{'type':9,'data':{'custom_id':'filled','title':'A form','components':["
      "{'type':18,'label':'Name','component':{'type':4,'custom_id':'n','style':1,'max_length':5}},"
      "{'type':18,'label':'Terms','component':{'type':22,'custom_id':'t','options':"
      "[{'label':'I agree','value':'y'}]}}]}}" },
    { "filled", 200, MESSAGE("32832", TEXT("Thank you, ~")) },
    { "auto", 200, "{'type':8,'data':{'choices':[{'name':'daily','value':'daily'}]}}" },
};

static unsigned request_count;

static json_object *field(json_object *object, const char *name)
{
    json_object *value = NULL;
    if (json_object_is_type(object, json_type_object))
        json_object_object_get_ex(object, name, &value);
    return value;
}

static json_object *first(json_object *list)
{
    return json_object_is_type(list, json_type_array) && json_object_array_length(list) > 0
               ? json_object_array_get_idx(list, 0)
               : NULL;
}

/* One request on its way in. */
struct request {
    struct buf body;
    char *later; /* name of what is to be sent once the answer has gone out; NULL: nothing */
    char *token;
};

/* The first value of a select, a form's first field or a command's first option. */
static const char *first_value(json_object *data)
{
    json_object *option = first(field(data, "options"));
    if (field(option, "options"))
        option = first(field(option, "options"));
    json_object *value = first(field(data, "values"));
    if (!value)
        value = field(field(first(field(data, "components")), "component"), "value");
    if (!value)
        value = field(option, "value");
    return value ? json_object_get_string(value) : "";
}

static const char *name_of(json_object *interaction)
{
    json_object *data = field(interaction, "data");
    json_object *name = field(data, "custom_id") ? field(data, "custom_id") : field(data, "name");
    if (json_object_get_int(field(interaction, "type")) == 4)
        return "auto";
    return name ? json_object_get_string(name) : "";
}

static void fill_in(const char *answer, json_object *interaction, struct buf *out)
{
    json_object *user = field(field(interaction, "member"), "user");
    if (!user)
        user = field(interaction, "user");
    for (; *answer; answer++) {
        if (*answer == '\'')
            buf_append_char(out, '"');
        else if (*answer == '%')
            buf_append(out, str_from(json_object_get_string(field(user, "id"))));
        else if (*answer == '~')
            buf_append(out, str_from(first_value(field(interaction, "data"))));
        else if (*answer == '^')
            buf_append_format(out, "%d", (int)getpid());
        else if (*answer == '#' && answer[1] != ' ')
            buf_append_format(out, "%u", request_count);
        else
            buf_append_char(out, *answer);
    }
    must_hold(out);
}

static enum MHD_Result reply(struct MHD_Connection *connection, int status, struct str_view body)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        body.length, (void *)(uintptr_t)body.data, MHD_RESPMEM_MUST_COPY);
    MHD_add_response_header(response, "Content-Type", "application/json");
    enum MHD_Result result = MHD_queue_response(connection, (unsigned)status, response);
    MHD_destroy_response(response);
    return result;
}

static bool is_signed(struct MHD_Connection *connection, const struct buf *body)
{
    const char *key = getenv("DISCORD_PUBLIC_KEY");
    const char *hex =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "X-Signature-Ed25519");
    const char *time =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "X-Signature-Timestamp");
    unsigned char public_key[crypto_sign_PUBLICKEYBYTES], signature[crypto_sign_BYTES];
    CLEANUP(buf_free) struct buf message = { 0 };
    if (!key || !hex || !time || strlen(hex) != 2 * sizeof(signature) ||
        sodium_hex2bin(public_key, sizeof(public_key), key, strlen(key), NULL, NULL, NULL) != 0 ||
        sodium_hex2bin(signature, sizeof(signature), hex, strlen(hex), NULL, NULL, NULL) != 0)
        return false;
    buf_append(&message, str_from(time));
    buf_append(&message, buf_view(body));
    must_hold(&message);
    return crypto_sign_verify_detached(signature, (const unsigned char *)message.data,
                                       message.length, public_key) == 0;
}

static enum MHD_Result answer_interaction(struct MHD_Connection *connection,
                                          struct request *request)
{
    CLEANUP(buf_free) struct buf out = { 0 };
    const struct buf *body = &request->body;
    if (!is_signed(connection, body))
        return reply(connection, 401, STR("{}"));
    CLEANUP(json_release) json_object *interaction = json_tokener_parse(body->data);
    const char *name = name_of(interaction);
    const char *token = json_object_get_string(field(interaction, "token"));
    request_count++;
    later_before(name, token);
    if (later_knows(name)) {
        request->later = must_copy(str_from(name));
        request->token = must_copy(str_from(token));
    }
    if (strcmp(name, "tardy") == 0)
        usleep(TARDY_MS * 1000);
    if (strcmp(name, "slow") == 0) {
        usleep(3100 * 1000);
        return reply(connection, 200, STR("{\"type\":5}"));
    }
    for (size_t i = 0; i < ARRAY_LENGTH(answers); i++) {
        if (strcmp(answers[i].name, name) != 0)
            continue;
        fill_in(answers[i].answer, interaction, &out);
        return reply(connection, answers[i].status, buf_view(&out));
    }
    return reply(connection, 200, STR("{\"type\":1}"));
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *length, void **state)
{
    (void)context, (void)version;
    struct request *request = *state;
    if (!request) {
        *state = must_allocate(1, sizeof(*request));
        return MHD_YES;
    }
    if (*length > 0) {
        buf_append_bytes(&request->body, data, *length);
        *length = 0;
        return MHD_YES;
    }
    if (strcmp(url, "/interactions") == 0 && strcmp(method, "POST") == 0)
        return answer_interaction(connection, request);
    return reply(connection, strcmp(url, "/readyz") == 0 ? 200 : 404, STR("{}"));
}

/* The answer has been written out: now is the time for what comes later. */
static void forget(void *context, struct MHD_Connection *connection, void **state,
                   enum MHD_RequestTerminationCode code)
{
    struct request *request = *state;
    (void)context, (void)connection, (void)code;
    if (!request)
        return;
    if (request->later)
        later_start(request->later, request->token);
    buf_free(&request->body);
    free(request->later);
    free(request->token);
    free(request);
    *state = NULL;
}

static struct MHD_Daemon *serve(const char *variable)
{
    const char *value = getenv(variable);
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (!value || strncmp(value, "unix:", 5) != 0)
        return NULL;
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", value + 5);
    unlink(address.sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, 1024) != 0)
        return NULL;
    return MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, handle, NULL,
                            MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_NOTIFY_COMPLETED, forget, NULL,
                            MHD_OPTION_END);
}

static void print_commands(void)
{
    putchar('[');
    for (size_t i = 0; i < ARRAY_LENGTH(plain_commands); i++)
        printf("{\"name\":\"%s\",\"description\":\"d\"},", plain_commands[i]);
    for (const char *at = other_commands; *at; at++)
        putchar(*at == '\'' ? '"' : *at);
    puts("]");
}

int main(int count, char **words)
{
    sigset_t wanted;
    int got;
    if (count >= 3 && strcmp(words[1], "commands") == 0) {
        if (count == 3)
            print_commands();
        else
            puts("[]"); /* no owner's commands */
        return 0;
    }
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGTERM);
    sigprocmask(SIG_BLOCK, &wanted, NULL);
    struct MHD_Daemon *listen_daemon = serve("LISTEN"), *admin = serve("ADMIN_LISTEN");
    if (sodium_init() < 0 || !listen_daemon || !admin)
        return 69;
    sigwait(&wanted, &got);
    MHD_stop_daemon(listen_daemon);
    MHD_stop_daemon(admin);
    _exit(0); /* threads that still send end here */
}
