#include "simulator/rest_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WORDS_MAX 12

const char *const rest_plain[] = { REST_AGENT, REST_TYPE, NULL };
const char *const rest_as_bot[] = { REST_AGENT, REST_TYPE, REST_BOT, NULL };

static int64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void rest_fixture_ask(struct rest_fixture *fixture, const char *token, bool is_user_installed)
{
    static unsigned sequence;
    fixture->id = snowflake_at(wall_ms(), ++sequence);
    const struct rest_interaction interaction = { .id = fixture->id,
                                                  .token = token,
                                                  .type = 2,
                                                  .channel_id = 7,
                                                  .person = { 5, "alice", false },
                                                  .is_user_installed = is_user_installed,
                                                  .command_name = "slow" };
    rest_server_ask(fixture->server, &interaction);
}

void rest_fixture_start(struct rest_fixture *fixture, const struct rest_limits *limits,
                        const char *answer)
{
    struct err err = { 0 };
    struct rest_server_settings settings = { .shift_ms = &fixture->shift_ms };
    *fixture = (struct rest_fixture){ 0 };
    if (limits)
        settings.limits = *limits;
    assert_int_equal(rest_server_start(&fixture->server, &settings, &err), 0);
    fixture->address.port = rest_server_port(fixture->server);
    snprintf(fixture->address.text, sizeof(fixture->address.text), "127.0.0.1");
    fixture->client = http_client_new(&fixture->address);
    rest_fixture_ask(fixture, "tok", false);
    if (answer)
        rest_server_answered(fixture->server, fixture->id, str_from(answer));
}

void rest_fixture_finish(struct rest_fixture *fixture)
{
    http_client_free(fixture->client);
    rest_server_stop(fixture->server);
}

int rest_fixture_request(struct rest_fixture *fixture, const char *method, const char *path,
                         const char *const *headers, const char *body, struct buf *out)
{
    CLEANUP(http_answer_free) struct http_answer answer = { 0 };
    const struct http_request sent = { method, path, headers, str_from(body) };
    if (http_client_send(fixture->client, &sent, &answer, NULL) != 0)
        return 0;
    if (out)
        buf_append(out, buf_view(&answer.body));
    return answer.status;
}

int rest_fixture_edit(struct rest_fixture *fixture)
{
    return rest_fixture_request(fixture, "PATCH", REST_ORIGINAL, rest_plain, REST_GOOD, NULL);
}

void rest_fixture_raw(struct rest_fixture *fixture, const char *path, const char *more_headers,
                      struct buf *answer)
{
    char *text =
        must_format("GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" REST_AGENT "\r\n%s\r\n",
                    path, more_headers);
    buf_clear(answer);
    int result = http_raw_exchange(&fixture->address, str_from(text), false, 5000, answer, NULL);
    free(text);
    assert_int_equal(result, 0);
}

int rest_fixture_fault(struct rest_fixture *fixture, const char *text, struct err *err)
{
    const char *words[WORDS_MAX];
    char *copy = must_copy(str_from(text)), *rest = copy, *word;
    size_t count = 0;
    while (count < WORDS_MAX && (word = strsep(&rest, " ")))
        words[count++] = word;
    int result = rest_server_read_fault(fixture->server, words, count, err);
    free(copy);
    return result;
}

void rest_fixture_add_fault(struct rest_fixture *fixture, const char *text)
{
    struct err err = { 0 };
    if (rest_fixture_fault(fixture, text, &err) != 0)
        fail_msg("%s: %s", text, err.message);
}

void rest_assert_violation(struct rest_fixture *fixture, const char *text)
{
    CLEANUP(buf_free) struct buf violation = { 0 };
    rest_server_first_violation(fixture->server, &violation);
    if (!violation.data || !strstr(violation.data, text))
        fail_msg("no violation '%s' but: %s", text, violation.data ? violation.data : "none");
}

void rest_assert_no_violation(struct rest_fixture *fixture)
{
    CLEANUP(buf_free) struct buf violation = { 0 };
    rest_server_first_violation(fixture->server, &violation);
    if (violation.length > 0)
        fail_msg("%s", violation.data);
}

void rest_fixture_sleep(int milliseconds)
{
    const struct timespec pause = { milliseconds / 1000, milliseconds % 1000 * 1000000L };
    nanosleep(&pause, NULL);
}
