/* Lines to words. */
#include "simulator/script.h"

#include "harness/memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct str_view word_text(const struct word *word)
{
    return str_from(word->text);
}

bool word_is(const struct word *word, const char *text)
{
    return !word->is_quoted && strcmp(word->text, text) == 0;
}

/* From the opening quote to behind the closing one. */
static int take_quoted(struct str_view *rest, struct buf *out, struct err *err)
{
    size_t i = 1;
    for (; i < rest->length && rest->data[i] != '"'; i++) {
        char character = rest->data[i];
        if (character == '\\' && i + 1 < rest->length) {
            character = rest->data[++i];
            if (character == 'n')
                character = '\n';
            else if (character != '"' && character != '\\')
                buf_append_char(out, '\\');
        }
        buf_append_char(out, character);
    }
    if (i >= rest->length)
        return err_set(err, ERR_INVALID, "a quote is not closed");
    rest->data += i + 1;
    rest->length -= i + 1;
    return 0;
}

static bool is_space(char character)
{
    return character == ' ' || character == '\t' || character == '\r';
}

static int take_word(struct str_view *rest, struct word *word, struct err *err)
{
    CLEANUP(buf_free) struct buf text = { 0 };
    word->is_quoted = rest->data[0] == '"';
    while (rest->length > 0 && !is_space(rest->data[0])) {
        bool is_quote = rest->data[0] == '"';
        if (is_quote && (text.length == 0 || text.data[text.length - 1] == ':')) {
            int result = take_quoted(rest, &text, err);
            if (result != 0)
                return result;
            if (rest->length > 0 && !is_space(rest->data[0]))
                return err_set(err, ERR_INVALID, "a space is missing after a quote");
            break;
        }
        buf_append_char(&text, rest->data[0]);
        rest->data++, rest->length--;
    }
    must_hold(&text);
    word->text = must_copy(buf_view(&text));
    return 0;
}

/* "# text" is a comment, "#general" is a channel. */
static bool is_comment(struct str_view rest)
{
    return rest.length == 0 ||
           (rest.data[0] == '#' &&
            (rest.length == 1 || is_space(rest.data[1]) || rest.data[1] == '#'));
}

int step_parse(struct step *step, struct str_view line, struct err *err)
{
    struct str_view rest = str_trim(line);
    *step = (struct step){ .source = must_copy(rest) };
    if (rest.length > 0 && memchr(rest.data, '\0', rest.length))
        return err_set(err, ERR_INVALID, "a zero byte");
    while (!is_comment(rest)) {
        if (step->count == SCRIPT_WORDS_MAX)
            return err_set(err, ERR_LIMIT, "more than %d words", SCRIPT_WORDS_MAX);
        must_grow(&step->words, step->count, sizeof(struct word));
        int result = take_word(&rest, &step->words[step->count], err);
        if (result != 0)
            return result;
        step->count++;
        rest = str_trim(rest);
    }
    return 0;
}

void step_free(struct step *step)
{
    for (size_t i = 0; i < step->count; i++)
        free(step->words[i].text);
    free(step->words);
    free(step->source);
    *step = (struct step){ 0 };
}

int script_parse(struct script *script, const char *name, struct str_view text, struct err *err)
{
    struct str_view rest = text, line;
    for (int number = 1; str_split(&rest, '\n', &line); number++) {
        struct step step;
        if (step_parse(&step, line, err) != 0) {
            step_free(&step);
            return err_wrap(err, "%s:%d", name, number);
        }
        if (step.count == 0) {
            step_free(&step);
            continue;
        }
        step.line = number;
        must_grow(&script->steps, script->count, sizeof(struct step));
        script->steps[script->count++] = step;
    }
    return 0;
}

int script_load(struct script *script, const char *path, struct err *err)
{
    CLEANUP(buf_free) struct buf text = { 0 };
    char bytes[4096];
    FILE *file = fopen(path, "re");
    if (!file)
        return err_set_errno(err, ERR_IO, errno, "%s", path);
    for (size_t got; (got = fread(bytes, 1, sizeof(bytes), file)) > 0;) {
        buf_append_bytes(&text, bytes, got);
        if (text.length > SCRIPT_BYTES_MAX)
            break;
    }
    fclose(file);
    must_hold(&text);
    if (text.length > SCRIPT_BYTES_MAX)
        return err_set(err, ERR_LIMIT, "%s is larger than %d bytes", path, SCRIPT_BYTES_MAX);
    return script_parse(script, path, buf_view(&text), err);
}

void script_free(struct script *script)
{
    for (size_t i = 0; i < script->count; i++)
        step_free(&script->steps[i]);
    free(script->steps);
    *script = (struct script){ 0 };
}
