/* A growing list of sentences. */
#include "simulator/violations.h"

#include "harness/memory.h"

#include <stdlib.h>
#include <string.h>

void violations_add(struct violations *violations, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = must_format_list(format, arguments);
    va_end(arguments);
    must_grow(&violations->items, violations->count, sizeof(struct violation));
    violations->items[violations->count++].text = text;
}

size_t violations_expect(struct violations *violations, struct str_view text)
{
    size_t found = 0;
    for (size_t i = 0; i < violations->count; i++) {
        struct violation *violation = &violations->items[i];
        if (text.data && !memmem(violation->text, strlen(violation->text), text.data, text.length))
            continue;
        violation->is_expected = true;
        found++;
    }
    return found;
}

const struct violation *violations_unexpected(const struct violations *violations)
{
    for (size_t i = 0; i < violations->count; i++)
        if (!violations->items[i].is_expected)
            return &violations->items[i];
    return NULL;
}

void violations_free(struct violations *violations)
{
    for (size_t i = 0; i < violations->count; i++)
        free(violations->items[i].text);
    free(violations->items);
    *violations = (struct violations){ 0 };
}
