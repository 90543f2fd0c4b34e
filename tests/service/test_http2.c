/* The real program sends to a Discord behind TLS and HTTP/2, as the real one is: an nginx in front
 * of the simulated REST API, with a certificate that only DISCORD_CA_FILE vouches for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "deferrals.h"
#include "harness/front.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EDITS           60
#define LINE_MAX        128
/* The first requests are under way before the first connection knows that it can be shared. */
#define CONNECTIONS_MAX 3
#define NOTICED_MS      2000

struct secured {
    struct deferrals deferrals;
    struct harness_front front;
    char api_line[128], ca_line[160];
};

static void start(struct secured *secured, bool is_trusted)
{
    struct err err = { 0 };
    struct deferrals *deferrals = &secured->deferrals;
    deferrals_init(deferrals, NULL);
    if (harness_front_init_plain(&secured->front, NGINX_FOLDER,
                                 rest_server_port(deferrals->discord), &err) != 0 ||
        harness_front_launch(&secured->front, &err) != 0)
        fail_msg("%s", err.message);
    snprintf(secured->api_line, sizeof(secured->api_line),
             "DISCORD_API_URL=https://" HARNESS_FRONT_LOCALHOST ":%u/api/v10",
             (unsigned)secured->front.address.port);
    snprintf(secured->ca_line, sizeof(secured->ca_line), "DISCORD_CA_FILE=%s",
             secured->front.certificate);
    deferrals_set(deferrals, secured->api_line);
    if (is_trusted)
        deferrals_set(deferrals, secured->ca_line);
    deferrals_launch(deferrals);
}

static void finish(struct secured *secured)
{
    deferrals_fini(&secured->deferrals);
    harness_front_fini(&secured->front);
}

/* Reads nginx's log: lines that are not "HTTP/2.0 CONNECTION PATCH" fail. */
static size_t count_connections(const struct secured *secured, size_t *requests)
{
    char line[LINE_MAX], seen[CONNECTIONS_MAX + 1][LINE_MAX];
    size_t connections = 0;
    FILE *log = fopen(secured->front.access_log, "re");
    assert_non_null(log);
    *requests = 0;
    while (fgets(line, sizeof(line), log) && strchr(line, '\n')) {
        size_t i = 0;
        if (!str_starts_with(str_from(line), STR("HTTP/2.0 ")) || !strstr(line, " PATCH\n"))
            fail_msg("%s", line);
        ++*requests;
        while (i < connections && strcmp(seen[i], line) != 0)
            i++;
        if (i < connections)
            continue;
        if (connections > CONNECTIONS_MAX)
            fail_msg("more than %d connections", CONNECTIONS_MAX);
        snprintf(seen[connections++], LINE_MAX, "%s", line);
    }
    fclose(log);
    return connections;
}

static void many_edits_share_a_connection(void **state)
{
    (void)state;
    struct secured secured;
    struct err err = { 0 };
    int64_t ids[EDITS];
    size_t requests;
    start(&secured, true);
    deferrals_fault(&secured.deferrals, "edits delay 100ms"); /* so that many are under way */
    for (int i = 0; i < EDITS; i++)
        ids[i] = deferrals_ask(&secured.deferrals);
    assert_int_equal(deferrals_arrived(&secured.deferrals, ids, EDITS), EDITS);
    deferrals_assert_no_violation(&secured.deferrals);
    assert_int_equal(harness_bot_stop(&secured.deferrals.bot, NULL, &err), 0);
    /* nginx writes a line when the bot has its answer already. */
    size_t connections = count_connections(&secured, &requests);
    for (; requests < EDITS; connections = count_connections(&secured, &requests))
        usleep(1000);
    print_message("%zu requests by HTTP/2 on %zu connections\n", requests, connections);
    assert_in_range(connections, 1, CONNECTIONS_MAX);
    finish(&secured);
}

static void a_certificate_nobody_vouches_for_is_refused(void **state)
{
    (void)state;
    struct secured secured;
    start(&secured, false);
    int64_t id = deferrals_ask(&secured.deferrals);
    assert_false(rest_server_wait_edits(secured.deferrals.discord, id, 1, NOTICED_MS));
    assert_int_equal(rest_server_arrivals(secured.deferrals.discord), 0);
    finish(&secured);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_edits_share_a_connection),
        cmocka_unit_test(a_certificate_nobody_vouches_for_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
