/* Discord's Markdown and <...> marks as words. */
#include "simulator/render.h"

#include "harness/memory.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

static const char *const style_codes[] = {
    [STYLE_NONE] = "",          [STYLE_BOLD] = "\033[1m",      [STYLE_DIM] = "\033[2m",
    [STYLE_BUTTON] = "\033[7m", [STYLE_AUTHOR] = "\033[1;35m", [STYLE_ERROR] = "\033[31m",
};

#define STYLE_END "\033[0m"

void render_styled(const struct view *view, int style, struct str_view text, struct buf *out)
{
    bool is_styled = view->has_colour && style != STYLE_NONE;
    if (is_styled)
        buf_append(out, str_from(style_codes[style]));
    buf_append(out, text);
    if (is_styled)
        buf_append(out, STR(STYLE_END));
    must_hold(out);
}

/* --- <...> --- */

/* In the largest unit of which there is one, after rounding: 23 h 59 min are a day. */
static void render_relative(int64_t seconds, struct buf *out)
{
    static const struct {
        int64_t seconds;
        const char *one, *many;
    } units[] = {
        { 1, "a second", "seconds" },        { 60, "a minute", "minutes" },
        { 3600, "an hour", "hours" },        { 86400, "a day", "days" },
        { 30 * 86400, "a month", "months" }, { 365 * 86400, "a year", "years" },
    };
    int64_t distance = seconds < 0 ? -seconds : seconds, count = distance;
    const char *before = seconds >= 0 ? "in " : "", *after = seconds >= 0 ? "" : " ago";
    size_t unit = 0;
    while (unit + 1 < ARRAY_LENGTH(units) &&
           count * units[unit].seconds >= units[unit + 1].seconds) {
        unit++;
        count = (distance + units[unit].seconds / 2) / units[unit].seconds;
    }
    if (count == 1)
        buf_append_format(out, "%s%s%s", before, units[unit].one, after);
    else
        buf_append_format(out, "%s%" PRId64 " %s%s", before, count, units[unit].many, after);
}

/* https://docs.discord.com/developers/reference#message-formatting-timestamp-styles */
static void format_time(char style, const struct tm *parts, char *text, size_t size)
{
    size_t length;
    switch (style) {
    case 't':
        length = strftime(text, size, "%H:%M", parts);
        break;
    case 'T':
        length = strftime(text, size, "%H:%M:%S", parts);
        break;
    case 'd':
        length = strftime(text, size, "%Y-%m-%d", parts);
        break;
    case 'D':
        length = strftime(text, size, "%d %B %Y", parts);
        break;
    case 'F':
        length = strftime(text, size, "%A, %d %B %Y %H:%M", parts);
        break;
    default:
        length = strftime(text, size, "%d %B %Y %H:%M", parts);
    }
    if (length == 0)
        text[0] = '\0';
}

static bool render_timestamp(const struct view *view, struct str_view inside, struct buf *out)
{
    struct str_view rest = inside, kind, number, style = STR("f");
    int64_t seconds;
    char text[64];
    if (!str_split(&rest, ':', &kind) || !str_equal(kind, STR("t")) ||
        !str_split(&rest, ':', &number) || str_to_int64(number, &seconds) != 0)
        return false;
    if (rest.length > 0)
        style = rest;
    if (str_equal(style, STR("R"))) {
        render_relative(seconds - view->now_ms / 1000, out);
        return true;
    }
    time_t moment = (time_t)seconds;
    struct tm parts;
    if (!gmtime_r(&moment, &parts))
        return false;
    format_time(style.data[0], &parts, text, sizeof(text));
    buf_append(out, str_from(text));
    return true;
}

static bool render_mention(const struct view *view, struct str_view inside, struct buf *out)
{
    int64_t id;
    bool is_role = str_starts_with(inside, STR("@&"));
    size_t skip = is_role ? 2 : 1;
    if (inside.length <= skip ||
        str_to_uint63((struct str_view){ inside.data + skip, inside.length - skip }, &id) != 0)
        return false;
    const struct guild_role *role = world_role_by_id(view->world, id);
    const struct person *person = world_person_by_id(view->world, id);
    const struct place *channel = world_channel_by_id(view->world, id);
    if (inside.data[0] == '#')
        buf_append_format(out, "#%s", channel ? channel->channel_name : "unknown");
    else if (is_role)
        buf_append_format(out, "@%s", role ? role->name : "unknown-role");
    else
        buf_append_format(out, "@%s", person ? person->name : "unknown-user");
    return true;
}

/* The part between < and >; false when it is just text. */
static bool render_mark(const struct view *view, struct str_view inside, struct buf *out)
{
    struct str_view rest = inside, name;
    if (inside.length < 2)
        return false;
    switch (inside.data[0]) {
    case 't':
        return render_timestamp(view, inside, out);
    case '@':
    case '#':
        return render_mention(view, inside, out);
    case '/': /* </name:id> */
        str_split(&rest, ':', &name);
        buf_append(out, name);
        return rest.length > 0;
    case ':': /* <:name:id> */
    case 'a': /* <a:name:id> */
        str_split(&rest, ':', &name);
        if (name.length > 1 || !str_split(&rest, ':', &name))
            return false;
        buf_append_format(out, ":%.*s:", STR_ARGS(name));
        return rest.length > 0;
    default:
        return false;
    }
}

static size_t render_angle(const struct view *view, struct str_view text, struct buf *out)
{
    const char *end = memchr(text.data, '>', text.length);
    size_t before = out->length;
    if (!end)
        return 0;
    struct str_view inside = { text.data + 1, (size_t)(end - text.data) - 1 };
    if (render_mark(view, inside, out))
        return inside.length + 2;
    out->length = before; /* a half-written mark is taken back */
    return 0;
}

/* --- Markdown --- */

static const struct {
    struct str_view mark;
    const char *code; /* for terminals */
} emphases[] = {
    { { "**", 2 }, "\033[1m" }, { { "__", 2 }, "\033[4m" }, { { "~~", 2 }, "\033[9m" },
    { { "||", 2 }, "\033[2m" }, { { "`", 1 }, "\033[36m" }, { { "*", 1 }, "\033[3m" },
};

/* A mark counts when it is closed again on the same line and something stands between. */
static size_t emphasis_length(struct str_view mark, struct str_view text)
{
    const char *line_end = memchr(text.data, '\n', text.length);
    size_t limit = line_end ? (size_t)(line_end - text.data) : text.length;
    if (limit <= 2 * mark.length || !str_starts_with(text, mark) || text.data[mark.length] == ' ')
        return 0;
    const char *inside = text.data + mark.length;
    const char *close = memmem(inside, limit - mark.length, mark.data, mark.length);
    return close && close > inside ? (size_t)(close - inside) : 0;
}

static void render_inline(const struct view *view, struct str_view text, struct buf *out)
{
    struct {
        const char *close; /* where it ends */
        size_t skip;       /* how long the closing mark is */
    } open[ARRAY_LENGTH(emphases)] = { 0 };
    for (size_t i = 0; i < text.length;) {
        struct str_view rest = { text.data + i, text.length - i };
        size_t taken = 0;
        for (size_t e = 0; e < ARRAY_LENGTH(emphases) && taken == 0; e++) {
            size_t inside = open[e].close ? 0 : emphasis_length(emphases[e].mark, rest);
            if (open[e].close == rest.data) {
                taken = open[e].skip;
                open[e].close = NULL;
                render_styled(view, STYLE_NONE, view->has_colour ? STR(STYLE_END) : STR(""), out);
            } else if (inside > 0) {
                taken = emphases[e].mark.length;
                open[e].close = rest.data + taken + inside;
                open[e].skip = taken;
                buf_append(out, view->has_colour ? str_from(emphases[e].code) : STR(""));
            }
        }
        if (taken == 0 && rest.data[0] == '<')
            taken = render_angle(view, rest, out);
        if (taken == 0 && rest.data[0] == '\\' && rest.length > 1 &&
            ispunct((unsigned char)rest.data[1])) {
            buf_append_char(out, rest.data[1]);
            taken = 2;
        }
        if (taken == 0) {
            buf_append_char(out, rest.data[0]);
            taken = 1;
        }
        i += taken;
    }
}

static void render_line(const struct view *view, struct str_view line, struct buf *out)
{
    static const struct {
        struct str_view mark;
        int style;
    } starts[] = { { { "-# ", 3 }, STYLE_DIM },
                   { { "### ", 4 }, STYLE_BOLD },
                   { { "## ", 3 }, STYLE_BOLD },
                   { { "# ", 2 }, STYLE_BOLD } };
    CLEANUP(buf_free) struct buf text = { 0 };
    int style = STYLE_NONE;
    for (size_t i = 0; i < ARRAY_LENGTH(starts) && style == STYLE_NONE; i++) {
        if (!str_starts_with(line, starts[i].mark))
            continue;
        style = starts[i].style;
        line.data += starts[i].mark.length;
        line.length -= starts[i].mark.length;
    }
    render_inline(view, line, &text);
    must_hold(&text);
    render_styled(view, style, buf_view(&text), out);
}

void render_text(const struct view *view, struct str_view text, struct buf *out)
{
    struct str_view rest = text, line;
    bool is_code = false, is_first = true;
    while (str_split(&rest, '\n', &line)) {
        if (str_starts_with(line, STR("```"))) {
            is_code = !is_code;
            continue;
        }
        if (!is_first)
            buf_append_char(out, '\n');
        is_first = false;
        if (is_code)
            buf_append(out, line);
        else
            render_line(view, line, out);
    }
    must_hold(out);
}

void fold_space(struct str_view text, struct buf *out)
{
    bool is_pending = false;
    for (size_t i = 0; i < text.length; i++) {
        bool is_space = memchr(" \t\r\n", text.data[i], 4) != NULL;
        if (!is_space) {
            if (is_pending && out->length > 0)
                buf_append_char(out, ' ');
            buf_append_char(out, text.data[i]);
        }
        is_pending = is_space;
    }
    must_hold(out);
}
