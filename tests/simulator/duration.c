/* Times as they are written in scenes. */
#include "simulator/script.h"

bool read_duration(struct str_view text, int64_t *milliseconds)
{
    static const struct {
        const char *unit;
        int64_t milliseconds;
    } units[] = {
        { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 },
    };
    size_t digits = 0;
    int64_t number;
    while (digits < text.length && text.data[digits] >= '0' && text.data[digits] <= '9')
        digits++;
    struct str_view unit = { text.data + digits, text.length - digits };
    if (str_to_uint63((struct str_view){ text.data, digits }, &number) != 0)
        return false;
    for (size_t i = 0; i < ARRAY_LENGTH(units); i++)
        if (str_equal(unit, str_from(units[i].unit)))
            return !__builtin_mul_overflow(number, units[i].milliseconds, milliseconds);
    return false;
}
