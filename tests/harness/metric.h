/* Reading what GET /metrics answers. */
#ifndef HARNESS_METRIC_H
#define HARNESS_METRIC_H

#include "bronx/text.h"

/* The value of a metric by its name, with labels as they are written (`name{label="word"}`). False
 * when it is not there. */
bool metric_find(const char *text, const char *name, int64_t *value);

#endif
