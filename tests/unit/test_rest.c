/* REST requests: what is sent, how every kind of end is told apart, what an answer says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "discord/rest.h"
#include "harness/bot_process.h"
#include "harness/memory.h"
#include "harness/script_server.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN     "aW50ZXJhY3Rpb24tdG9rZW4"
#define BOT_TOKEN "bot.token-nobody-may-see"
#define SHORT_MS  100 /* for time-outs that are meant to happen */

/* The last request, copied, and how to answer it. */
struct seen {
    struct script_answer answer;
    const char *body;
    struct buf head, received;
    int count;
    struct script_server *server;
};

static void answer_as_told(void *context, const struct script_request *request,
                           struct script_answer *answer)
{
    struct seen *seen = context;
    *answer = seen->answer;
    buf_append(&answer->body, str_from(seen->body));
    buf_clear(&seen->head);
    buf_clear(&seen->received);
    buf_append(&seen->head, request->head);
    buf_append(&seen->received, request->body);
    seen->count++;
}

static void begin(struct seen *seen)
{
    *seen = (struct seen){ .body = "{}" };
    seen->server = script_server_start(0, answer_as_told, seen);
}

static void end(struct seen *seen)
{
    script_server_stop(seen->server);
    buf_free(&seen->head);
    buf_free(&seen->received);
}

static struct rest_settings settings_for(const struct seen *seen)
{
    return (struct rest_settings){ .api_url = script_server_url(seen->server),
                                   .bot_token = BOT_TOKEN };
}

static bool has(const struct buf *text, const char *part)
{
    return text->data && strstr(text->data, part);
}

static struct rest_response send_request(const struct seen *seen,
                                         const struct rest_request *request)
{
    struct rest_settings settings = settings_for(seen);
    struct rest_response response;
    struct err err = { 0 };
    if (rest_request(&settings, request, &response, &err) != 0)
        fail_msg("%s", err.message);
    return response;
}

static void a_request_says_who_sends_it_and_no_more(void **state)
{
    (void)state;
    struct seen seen;
    begin(&seen);
    struct rest_request request = { .method = REST_PATCH,
                                    .path = STR("/webhooks/1/" TOKEN "/messages/@original"),
                                    .body = STR("{\"content\":\"x\"}") };
    struct rest_response response = send_request(&seen, &request);
    assert_int_equal(response.status, 200);
    assert_true(has(&seen.head, "PATCH /api/webhooks/1/" TOKEN "/messages/@original HTTP/1.1\r\n"));
    assert_true(has(&seen.head, "User-Agent: DiscordBot (https://"));
    assert_true(has(&seen.head, ", " BRONX_VERSION ")\r\n"));
    assert_true(has(&seen.head, "Content-Type: application/json\r\n"));
    assert_false(has(&seen.head, "Authorization"));
    assert_false(has(&seen.head, "Expect"));
    assert_string_equal(seen.received.data, "{\"content\":\"x\"}");
    rest_response_free(&response);
    end(&seen);
}

static void requests_as_the_bot_carry_its_token_or_are_not_sent(void **state)
{
    (void)state;
    struct seen seen;
    begin(&seen);
    struct rest_request request = { .method = REST_GET, .path = STR("/x"), .is_as_bot = true };
    struct rest_response response = send_request(&seen, &request);
    assert_true(has(&seen.head, "GET /api/x HTTP/1.1\r\n"));
    assert_true(has(&seen.head, "Authorization: Bot " BOT_TOKEN "\r\n"));
    assert_false(has(&seen.head, "Content-Type"));
    rest_response_free(&response);

    struct rest_settings settings = settings_for(&seen);
    settings.bot_token = "";
    struct err err = { 0 };
    assert_int_equal(rest_request(&settings, &request, &response, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "DISCORD_BOT_TOKEN"));
    assert_int_equal(seen.count, 1);
    rest_response_free(&response);
    end(&seen);
}

static void every_method_is_sent_as_it_is_called(void **state)
{
    (void)state;
    static const struct {
        enum rest_method method;
        const char *line;
    } methods[] = {
        { REST_GET, "GET /api/x " },       { REST_POST, "POST /api/x " },
        { REST_PUT, "PUT /api/x " },       { REST_PATCH, "PATCH /api/x " },
        { REST_DELETE, "DELETE /api/x " },
    };
    struct seen seen;
    begin(&seen);
    for (size_t i = 0; i < ARRAY_LENGTH(methods); i++) {
        struct rest_request request = { .method = methods[i].method, .path = STR("/x") };
        struct rest_response response = send_request(&seen, &request);
        assert_true(has(&seen.head, methods[i].line));
        assert_int_equal(seen.received.length, 0);
        rest_response_free(&response);
    }
    end(&seen);
}

static void files_go_beside_the_json(void **state)
{
    (void)state;
    const struct reply_attachment files[] = {
        { STR("a.txt"), STR("first\0file") },
        { STR("b.png"), STR("") },
    };
    struct seen seen;
    begin(&seen);
    struct rest_request request = { .method = REST_POST,
                                    .path = STR("/x"),
                                    .body = STR("{\"attachments\":[]}"),
                                    .files = files,
                                    .file_count = 2 };
    struct rest_response response = send_request(&seen, &request);
    assert_true(has(&seen.head, "Content-Type: multipart/form-data; boundary="));
    const struct str_view parts[] = {
        STR("name=\"payload_json\"\r\nContent-Type: application/json\r\n\r\n{\"attachments\":[]}"),
        STR("name=\"files[0]\"; filename=\"a.txt\"\r\n"),
        STR("\r\n\r\nfirst\0file\r\n"),
        STR("name=\"files[1]\"; filename=\"b.png\"\r\n"),
    };
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++)
        assert_non_null(
            memmem(seen.received.data, seen.received.length, parts[i].data, parts[i].length));
    rest_response_free(&response);
    end(&seen);
}

static void an_answers_headers_are_read(void **state)
{
    (void)state;
    struct seen seen;
    begin(&seen);
    seen.answer.status = 429;
    seen.answer.headers = "Retry-After: 65\r\nX-RateLimit-Limit: 5\r\nx-ratelimit-remaining: 0\r\n"
                          "X-RateLimit-Reset-After: 1.0201\r\nX-RateLimit-Bucket: abcd1234\r\n"
                          "X-RateLimit-Scope: shared\r\nX-RateLimit-Global: true\r\n"
                          "Via: 1.1 google\r\n";
    struct rest_request request = { .method = REST_GET, .path = STR("/x") };
    struct rest_response response = send_request(&seen, &request);
    assert_int_equal(response.status, 429);
    assert_int_equal(response.retry_after_ms, 65000);
    assert_int_equal(response.limit, 5);
    assert_int_equal(response.remaining, 0);
    assert_int_equal(response.reset_after_ms, 1021);
    assert_string_equal(response.bucket, "abcd1234");
    assert_string_equal(response.scope, "shared");
    assert_true(response.is_global && response.has_via);
    rest_response_free(&response);

    seen.answer.headers = "Retry-After: soon\r\nX-RateLimit-Limit: -5\r\n"
                          "X-RateLimit-Reset-After: 1e999\r\n"
                          "X-RateLimit-Bucket: 0123456789012345678901234567890123456789012345678901"
                          "234567890123456789\r\n";
    response = send_request(&seen, &request);
    assert_int_equal(response.retry_after_ms, -1);
    assert_int_equal(response.limit, -1);
    assert_int_equal(response.remaining, -1);
    assert_int_equal(response.reset_after_ms, -1);
    assert_string_equal(response.bucket, "");
    assert_false(response.is_global || response.has_via);
    rest_response_free(&response);
    end(&seen);
}

static void a_body_is_cut_at_the_bound(void **state)
{
    (void)state;
    struct seen seen;
    begin(&seen);
    seen.body = "0123456789";
    struct rest_settings settings = settings_for(&seen);
    struct rest_request request = { .method = REST_GET, .path = STR("/x") };
    for (size_t bound = 1; bound <= 11; bound++) {
        struct rest_response response;
        settings.body_max = bound;
        assert_int_equal(rest_request(&settings, &request, &response, NULL), 0);
        assert_int_equal(response.body.length, bound < 10 ? bound : 10);
        assert_int_equal(response.is_cut, bound < 10);
        rest_response_free(&response);
    }
    end(&seen);
}

static void a_redirect_is_not_followed(void **state)
{
    (void)state;
    struct seen seen;
    begin(&seen);
    seen.answer.status = 302;
    seen.answer.headers = "Location: /api/elsewhere\r\n";
    struct rest_request request = { .method = REST_GET, .path = STR("/x"), .is_as_bot = true };
    struct rest_response response = send_request(&seen, &request);
    assert_int_equal(response.status, 302);
    assert_int_equal(seen.count, 1);
    rest_response_free(&response);
    end(&seen);
}

/* Sends a request that gets no answer; returns how it ended. */
static enum rest_result fail_request(const char *url, int64_t total_ms)
{
    struct rest_settings settings = { .api_url = url,
                                      .bot_token = BOT_TOKEN,
                                      .total_ms = total_ms };
    struct rest_request request = {
        .method = REST_POST, .path = STR("/webhooks/1/" TOKEN), .is_as_bot = true, .body = STR("{}")
    };
    struct rest_response response;
    struct err err = { 0 };
    assert_int_equal(rest_request(&settings, &request, &response, &err), ERR_UNAVAILABLE);
    assert_null(strstr(err.message, TOKEN));
    assert_null(strstr(err.message, BOT_TOKEN));
    assert_non_null(response.reason);
    assert_int_equal(response.status, 0);
    rest_response_free(&response);
    return response.result;
}

static void each_end_without_an_answer_is_told_apart(void **state)
{
    (void)state;
    struct seen seen;
    char url[64];
    snprintf(url, sizeof(url), "http://127.0.0.1:%d", harness_free_port());
    assert_int_equal(fail_request(url, 0), REST_NOT_CONNECTED);
    assert_int_equal(fail_request("http://name.invalid", 0), REST_NOT_CONNECTED);
    begin(&seen);
    seen.answer.fate = SCRIPT_RESET;
    assert_int_equal(fail_request(script_server_url(seen.server), 0), REST_LOST_AFTER_SENDING);
    seen.answer.fate = SCRIPT_STALL;
    assert_int_equal(fail_request(script_server_url(seen.server), SHORT_MS), REST_TIMED_OUT);
    assert_int_equal(seen.count, 2);
    end(&seen);
    assert_true(rest_was_without_effect(REST_NOT_CONNECTED));
    assert_true(rest_was_without_effect(REST_LOST_BEFORE_SENDING));
    assert_false(rest_was_without_effect(REST_LOST_AFTER_SENDING));
    assert_false(rest_was_without_effect(REST_TIMED_OUT));
}

/* --- TLS --- */

static enum MHD_Result count_request(void *context, struct MHD_Connection *connection,
                                     const char *url, const char *method, const char *version,
                                     const char *data, size_t *size, void **request)
{
    (void)connection, (void)url, (void)method, (void)version, (void)data, (void)size, (void)request;
    ++*(int *)context;
    return MHD_NO;
}

static char *read_data(const char *name)
{
    CLEANUP(cleanup_free) char *path = must_format("%s/%s", TEST_DATA_DIR, name);
    struct buf text = { 0 };
    char bytes[4096];
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    for (size_t got; (got = fread(bytes, 1, sizeof(bytes), file)) > 0;)
        buf_append_bytes(&text, bytes, got);
    fclose(file);
    must_hold(&text);
    return text.data;
}

static void a_certificate_nobody_vouches_for_is_refused(void **state)
{
    (void)state;
    CLEANUP(cleanup_free) char *pem = read_data("self_signed.pem");
    int count = 0;
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_TLS, 0, NULL, NULL, count_request, &count,
        MHD_OPTION_HTTPS_MEM_KEY, pem, MHD_OPTION_HTTPS_MEM_CERT, pem, MHD_OPTION_END);
    assert_non_null(daemon);
    char url[64];
    snprintf(url, sizeof(url), "https://127.0.0.1:%d",
             MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    assert_int_equal(fail_request(url, 0), REST_NOT_CONNECTED);
    MHD_stop_daemon(daemon);
    assert_int_equal(count, 0);
}

/* --- What an answer says --- */

static void discords_429_and_cloudflares_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        bool has_via;
        int64_t header_ms;
        bool is_banned;
        int64_t wait_ms;
        bool is_global;
    } answers[] = {
        { "{\"message\":\"You are being rate limited.\",\"retry_after\":0.4569,\"global\":false}",
          true, 1000, false, 457, false },
        { "{\"retry_after\":2,\"global\":true}", false, -1, false, 2000, true },
        { "{\"retry_after\":2}", true, -1, false, 2000, false },
        { "<html>error 1015</html>", false, 30000, true, 30000, false },
        { "error code: 1015", true, -1, true, -1, false },
        { "{\"title\":\"Error 1015\",\"retry_after\":30}", false, 10000, true, 30000, false },
        { "[1,2]", false, -1, true, -1, false },
        { "", false, -1, true, -1, false },
        { "{\"retry_after\":-5,\"global\":false}", true, 3000, false, 3000, false },
        { "{\"retry_after\":1e300,\"global\":false}", true, -1, false, REST_WAIT_MAX_MS, false },
        { "{\"retry_after\":\"1\",\"global\":false}", true, 3000, false, 3000, false },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(answers); i++) {
        struct rest_response response = { .result = REST_ANSWERED,
                                          .status = 429,
                                          .retry_after_ms = answers[i].header_ms,
                                          .has_via = answers[i].has_via };
        struct rest_error error;
        buf_append(&response.body, str_from(answers[i].body));
        rest_read_error(&response, &error);
        assert_int_equal(rest_is_banned(&response, &error), answers[i].is_banned);
        assert_int_equal(rest_wait_ms(&response, &error), answers[i].wait_ms);
        assert_int_equal(error.is_global, answers[i].is_global);
        response.status = 404;
        assert_false(rest_is_banned(&response, &error));
        rest_response_free(&response);
    }
}

static void an_errors_code_and_message_are_read_and_bounded(void **state)
{
    (void)state;
    struct rest_response response = { .result = REST_ANSWERED, .status = 404 };
    struct rest_error error;
    buf_append(&response.body, STR("{\"message\":\"Unknown Webhook\",\"code\":10015} \n"));
    rest_read_error(&response, &error);
    assert_int_equal(error.code, REST_UNKNOWN_WEBHOOK);
    assert_string_equal(error.message, "Unknown Webhook");
    buf_clear(&response.body);
    buf_append(&response.body, STR("{\"code\":1,\"message\":\""));
    for (int i = 0; i < 1000; i++)
        buf_append(&response.body, STR("\xe2\x82\xac"));
    buf_append(&response.body, STR("\"}"));
    rest_read_error(&response, &error);
    assert_int_equal(error.code, 1);
    assert_int_equal(strlen(error.message), 126);
    assert_true(utf8_is_valid(str_from(error.message)));
    response.is_cut = true;
    rest_read_error(&response, &error);
    assert_false(error.is_json);
    rest_response_free(&response);
}

static void a_token_can_not_leave_its_place_in_the_path(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf path = { 0 };
    rest_append_id(&path, 42);
    rest_append_segment(&path, STR("a.b-c_d~@/../?x=#%\r\n\xc3\xa4"));
    assert_string_equal(path.data, "/42/a.b-c_d~@%2F..%2F%3Fx%3D%23%25%0D%0A%C3%A4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_says_who_sends_it_and_no_more),
        cmocka_unit_test(requests_as_the_bot_carry_its_token_or_are_not_sent),
        cmocka_unit_test(every_method_is_sent_as_it_is_called),
        cmocka_unit_test(files_go_beside_the_json),
        cmocka_unit_test(an_answers_headers_are_read),
        cmocka_unit_test(a_body_is_cut_at_the_bound),
        cmocka_unit_test(a_redirect_is_not_followed),
        cmocka_unit_test(each_end_without_an_answer_is_told_apart),
        cmocka_unit_test(a_certificate_nobody_vouches_for_is_refused),
        cmocka_unit_test(discords_429_and_cloudflares_are_told_apart),
        cmocka_unit_test(an_errors_code_and_message_are_read_and_bounded),
        cmocka_unit_test(a_token_can_not_leave_its_place_in_the_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
