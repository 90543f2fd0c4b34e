/* A TMPDIR that is too long for the path of a socket below it is not used. */
#include "harness/folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARENT_MAX 32

bool harness_folder_make(char *path, size_t size, const char *name)
{
    const char *parent = getenv("TMPDIR");
    if (!parent || !*parent || strlen(parent) > PARENT_MAX)
        parent = "/tmp";
    snprintf(path, size, "%s/%s-XXXXXX", parent, name);
    if (mkdtemp(path))
        return true;
    path[0] = '\0';
    return false;
}
