/* custom_ids: the input as one, and as the parts of one. */
#include "fuzz.h"

#include "bronx/custom_id.h"

#include <limits.h>

static void check_parse(struct str_view text)
{
    CLEANUP(arena_free) struct arena arena = { 0 };
    struct custom_id id;
    if (custom_id_parse(text, &id) != 0)
        return;
    FUZZ_CHECK(text.length > 0 && utf8_units(text) <= CUSTOM_ID_MAX);
    FUZZ_CHECK(id.route.length > 0 && id.version >= 0 && id.row_id >= 0);
    FUZZ_CHECK(str_equal(custom_id_format(&arena, &id), text));
}

static void check_format(const uint8_t *data, size_t size)
{
    CLEANUP(arena_free) struct arena arena = { 0 };
    struct fuzz_input input = { data, size };
    struct custom_id parsed, id = { .version = (int)(fuzz_int64(&input) & UINT_MAX),
                                    .row_id = fuzz_int64(&input),
                                    .route = fuzz_short_text(&input) };
    id.argument = fuzz_text(&input, input.left);
    struct str_view text = custom_id_format(&arena, &id);
    if (!text.data)
        return;
    FUZZ_CHECK(custom_id_parse(text, &parsed) == 0);
    FUZZ_CHECK(str_equal(parsed.route, id.route) && str_equal(parsed.argument, id.argument));
    FUZZ_CHECK(parsed.version == id.version && parsed.row_id == id.row_id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy;
    check_parse(fuzz_exact_copy((struct str_view){ (const char *)data, size }, &copy));
    free(copy);
    check_format(data, size);
    return 0;
}
