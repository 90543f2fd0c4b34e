/* One datagram for each state; no connection and no memory is kept. libsystemd would bring four
 * more libraries into the process for these few lines, which its manual invites to write oneself.
 */
#include "core/supervisor.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A path, or "@name" for a socket without one, whose address begins with a zero byte. */
static int fill_address(const char *text, struct sockaddr_un *address, socklen_t *size,
                        struct err *err)
{
    size_t length = strlen(text);
    if ((text[0] != '/' && text[0] != '@') || length >= sizeof(address->sun_path))
        return err_set(err, ERR_CONFIG, "NOTIFY_SOCKET is not a path or an abstract name");
    *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    memcpy(address->sun_path, text, length);
    if (text[0] == '@')
        address->sun_path[0] = '\0';
    *size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    return 0;
}

int supervisor_notify(const char *state, struct err *err)
{
    struct sockaddr_un address;
    socklen_t size = 0;
    const char *path = getenv("NOTIFY_SOCKET"); /* NOLINT(concurrency-mt-unsafe): nobody sets it */
    if (!path || !path[0])
        return 0;
    int result = fill_address(path, &address, &size, err);
    if (result != 0)
        return result;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_set_errno(err, ERR_IO, errno, "socket");
    ssize_t sent =
        sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address, size);
    int reason = errno;
    close(fd);
    return sent < 0 ? err_set_errno(err, ERR_IO, reason, "NOTIFY_SOCKET") : 0;
}
