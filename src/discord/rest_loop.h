/* Many requests at once, in a loop of the caller's: libcurl says which sockets it waits for, epoll
 * says which of them are ready, and only their requests are looked at. With curl_multi_perform each
 * turn would cost something for every request under way.
 *
 * One thread has the loop; only rest_loop_wake comes from others. */
#ifndef DISCORD_REST_LOOP_H
#define DISCORD_REST_LOOP_H

#include "discord/rest.h"

struct rest_loop_settings {
    int connections_max;      /* kept open */
    int host_connections_max; /* at the same time, to one host */
};

struct rest_loop;

/* ERR_MEMORY, ERR_IO. */
int rest_loop_new(struct rest_loop **loop, const struct rest_loop_settings *settings,
                  struct err *err) MUST_CHECK;
/* No request may be under way. NULL allowed. */
void rest_loop_free(struct rest_loop *loop);

/* Whether one more would be sent at once. libcurl prepares those that wait for a connection anew
 * whenever one becomes free, which costs more than sending them. */
bool rest_loop_has_room(const struct rest_loop *loop);
/* Begins the request of a transfer, which stays the caller's. False without memory. */
bool rest_loop_start(struct rest_loop *loop, struct rest_transfer *transfer) MUST_CHECK;
/* Breaks off one that is under way: rest_transfer_fini is due. */
void rest_loop_stop(struct rest_loop *loop, struct rest_transfer *transfer);
/* One that has ended, finished and no longer under way, or NULL. */
struct rest_transfer *rest_loop_take(struct rest_loop *loop);

/* Lets requests go on; sleeps for at most `timeout_ms` until something can, one has ended or the
 * loop is woken. */
void rest_loop_wait(struct rest_loop *loop, int timeout_ms);
/* Ends the wait that is, or the next. From any thread. */
void rest_loop_wake(struct rest_loop *loop);

#endif
