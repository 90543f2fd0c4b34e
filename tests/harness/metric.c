#include "harness/metric.h"

#include <stdlib.h>
#include <string.h>

bool metric_find(const char *text, const char *name, int64_t *value)
{
    size_t length = strlen(name);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, length) == 0 && line[length] == ' ') {
            *value = strtoll(line + length, NULL, 10);
            return true;
        }
    }
    return false;
}
