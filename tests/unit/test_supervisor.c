/* The two halves of a supervisor's protocol: sockets it hands to us, and what we tell it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/supervisor.h"
#include "http/listener.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FIRST_FD 3
#define FDS      3

/* --- Sockets --- */

/* Descriptors 3, 4, ... are ours to fill; what was there before comes back afterwards. */
static int saved[FDS];

static int save_descriptors(void **state)
{
    (void)state;
    for (int i = 0; i < FDS; i++)
        saved[i] = fcntl(FIRST_FD + i, F_DUPFD_CLOEXEC, 100);
    return 0;
}

static int restore_descriptors(void **state)
{
    (void)state;
    static const char *const names[] = { "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES" };
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        unsetenv(names[i]);
    for (int i = 0; i < FDS; i++) {
        if (saved[i] >= 0)
            dup2(saved[i], FIRST_FD + i);
        else
            close(FIRST_FD + i);
        close(saved[i]);
    }
    return 0;
}

static void put_socket_at(int fd, bool is_listening)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int made = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_true(made >= 0);
    /* Only the family: the system chooses an abstract name. */
    assert_int_equal(bind(made, (const struct sockaddr *)&address, sizeof(sa_family_t)), 0);
    if (is_listening)
        assert_int_equal(listen(made, 8), 0);
    if (made != fd) {
        assert_int_equal(dup2(made, fd), fd);
        close(made);
    }
}

static void announce(int64_t pid, const char *count, const char *names)
{
    char text[24];
    snprintf(text, sizeof(text), "%lld", (long long)pid);
    setenv("LISTEN_PID", text, 1);
    setenv("LISTEN_FDS", count, 1);
    if (names)
        setenv("LISTEN_FDNAMES", names, 1);
    else
        unsetenv("LISTEN_FDNAMES");
}

static void expect_inherited(enum listener_use use, int expected)
{
    int fd = -2;
    struct err err = { 0 };
    if (listener_inherit(use, &fd, &err) != 0)
        fail_msg("%s", err.message);
    assert_int_equal(fd, expected);
}

static void nothing_is_inherited_without_a_supervisor_or_from_that_of_another(void **state)
{
    (void)state;
    unsetenv("LISTEN_PID");
    setenv("LISTEN_FDS", "1", 1);
    expect_inherited(LISTENER_WEBHOOK, -1);
    put_socket_at(FIRST_FD, true);
    announce((int64_t)getpid() + 1, "1", "http");
    expect_inherited(LISTENER_WEBHOOK, -1);
    setenv("LISTEN_PID", "nobody", 1);
    expect_inherited(LISTENER_WEBHOOK, -1);
    announce(getpid(), "0", NULL);
    expect_inherited(LISTENER_WEBHOOK, -1);
}

static void sockets_are_told_apart_by_name(void **state)
{
    (void)state;
    put_socket_at(FIRST_FD, true);
    put_socket_at(FIRST_FD + 1, true);
    announce(getpid(), "2", "admin:http");
    expect_inherited(LISTENER_ADMIN, FIRST_FD);
    expect_inherited(LISTENER_WEBHOOK, FIRST_FD + 1);
    announce(getpid(), "1", NULL);
    expect_inherited(LISTENER_ADMIN, -1);
    expect_inherited(LISTENER_WEBHOOK, FIRST_FD);
    announce(getpid(), "1", "bronxbot.socket");
    expect_inherited(LISTENER_WEBHOOK, FIRST_FD);
}

static void an_inherited_socket_never_blocks_and_stays_out_of_children(void **state)
{
    (void)state;
    put_socket_at(FIRST_FD, true);
    announce(getpid(), "1", "http");
    expect_inherited(LISTENER_WEBHOOK, FIRST_FD);
    assert_true(fcntl(FIRST_FD, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(FIRST_FD, F_GETFD) & FD_CLOEXEC);
}

static void expect_refused(const char *reason)
{
    int fd;
    struct err err = { 0 };
    assert_int_equal(listener_inherit(LISTENER_WEBHOOK, &fd, &err), ERR_CONFIG);
    if (!strstr(err.message, reason))
        fail_msg("'%s' does not say '%s'", err.message, reason);
}

static void sockets_that_would_never_be_answered_are_refused(void **state)
{
    (void)state;
    put_socket_at(FIRST_FD, true);
    put_socket_at(FIRST_FD + 1, true);
    announce(getpid(), "2", "http:http");
    expect_refused("2 sockets");
    announce(getpid(), "2", NULL);
    expect_refused("2 sockets");
    put_socket_at(FIRST_FD, false);
    announce(getpid(), "1", NULL);
    expect_refused("not a listening");
    close(FIRST_FD);
    expect_refused("not a listening");
    announce(getpid(), "65", NULL);
    expect_refused("LISTEN_FDS");
    announce(getpid(), "-1", NULL);
    expect_refused("LISTEN_FDS");
}

static void a_released_socket_leaves_its_path_to_the_supervisor_only_when_it_is_his(void **state)
{
    (void)state;
    char folder[] = "/tmp/bronxbot-listener.XXXXXX";
    struct listen_address setting = { .is_unix = true };
    struct listener listener, inherited;
    struct err err = { 0 };
    assert_non_null(mkdtemp(folder));
    snprintf(setting.text, sizeof(setting.text), "%s/sock", folder);
    assert_int_equal(listener_acquire(&listener, LISTENER_WEBHOOK, &setting, &err), 0);
    assert_false(listener.is_inherited);

    assert_int_equal(dup2(listener.fd, FIRST_FD), FIRST_FD);
    announce(getpid(), "1", "http");
    const struct listen_address elsewhere = { .text = "127.0.0.1" };
    assert_int_equal(listener_acquire(&inherited, LISTENER_WEBHOOK, &elsewhere, &err), 0);
    assert_true(inherited.is_inherited);
    assert_string_equal(inherited.address.text, setting.text);
    listener_release(&inherited);
    assert_int_equal(access(setting.text, F_OK), 0);

    listener_release(&listener);
    assert_int_not_equal(access(setting.text, F_OK), 0);
    rmdir(folder);
}

/* --- Notifications --- */

static void a_state_arrives_as_one_datagram(void **state)
{
    (void)state;
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char name[64], text[64] = { 0 };
    int length = snprintf(name, sizeof(name), "@bronxbot-test-%d", (int)getpid());
    memcpy(address.sun_path + 1, name + 1, (size_t)length - 1);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length)),
                     0);
    setenv("NOTIFY_SOCKET", name, 1);
    struct err err = { 0 };
    assert_int_equal(supervisor_notify("READY=1\nSTATUS=x", &err), 0);
    assert_true(recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT) > 0);
    assert_string_equal(text, "READY=1\nSTATUS=x");
    close(fd);
    assert_int_equal(supervisor_notify("READY=1", &err), ERR_IO);
    unsetenv("NOTIFY_SOCKET");
}

static void nobody_to_tell_is_no_error_and_a_wrong_address_is(void **state)
{
    (void)state;
    struct err err = { 0 };
    char long_path[256] = { 0 };
    memset(long_path, '/', sizeof(long_path) - 1);
    unsetenv("NOTIFY_SOCKET");
    assert_int_equal(supervisor_notify("READY=1", &err), 0);
    setenv("NOTIFY_SOCKET", "", 1);
    assert_int_equal(supervisor_notify("READY=1", &err), 0);
    setenv("NOTIFY_SOCKET", "relative", 1);
    assert_int_equal(supervisor_notify("READY=1", &err), ERR_CONFIG);
    setenv("NOTIFY_SOCKET", long_path, 1);
    assert_int_equal(supervisor_notify("READY=1", &err), ERR_CONFIG);
    unsetenv("NOTIFY_SOCKET");
}

int main(void)
{
#define WITH_SOCKETS(test)                                                                         \
    cmocka_unit_test_setup_teardown(test, save_descriptors, restore_descriptors)
    const struct CMUnitTest tests[] = {
        WITH_SOCKETS(nothing_is_inherited_without_a_supervisor_or_from_that_of_another),
        WITH_SOCKETS(sockets_are_told_apart_by_name),
        WITH_SOCKETS(an_inherited_socket_never_blocks_and_stays_out_of_children),
        WITH_SOCKETS(sockets_that_would_never_be_answered_are_refused),
        WITH_SOCKETS(a_released_socket_leaves_its_path_to_the_supervisor_only_when_it_is_his),
        cmocka_unit_test(a_state_arrives_as_one_datagram),
        cmocka_unit_test(nobody_to_tell_is_no_error_and_a_wrong_address_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
