/* Temporary folders of tests. They are made in TMPDIR, which ./dev test sets to a place in memory
 * where there is room: a disk's speed is no subject of any test. */
#ifndef HARNESS_FOLDER_H
#define HARNESS_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

#define HARNESS_FOLDER_MAX 64 /* so that a socket's path in it fits into a sockaddr_un */

/* `path`, which has `size` bytes (HARNESS_FOLDER_MAX are enough), becomes a new folder's whose name
 * begins with `name`. After a failure errno tells why and `path` is empty. */
bool harness_folder_make(char *path, size_t size, const char *name);

#endif
