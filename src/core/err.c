/* The error object. No threads, no memory: a struct err is filled in place. */
#include "bronx/err.h"

#include "bronx/text.h"

#include <stdio.h>
#include <string.h>

static void store(struct err *err, int code, const char *text)
{
    /* Half a character at the cut would make an invalid log line. */
    struct str_view cut = utf8_prefix_bytes(str_from(text), ERR_MESSAGE_SIZE - 1);
    err->code = code;
    memmove(err->message, cut.data, cut.length);
    err->message[cut.length] = '\0';
}

static void store_format(struct err *err, int code, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));

static void store_format(struct err *err, int code, const char *format, va_list arguments)
{
    char text[2 * ERR_MESSAGE_SIZE];
    vsnprintf(text, sizeof(text), format, arguments);
    store(err, code, text);
}

int err_set(struct err *err, int code, const char *format, ...)
{
    if (!err)
        return code;
    va_list arguments;
    va_start(arguments, format);
    store_format(err, code, format, arguments);
    va_end(arguments);
    err->index = -1;
    return code;
}

int err_wrap(struct err *err, const char *format, ...)
{
    if (!err)
        return ERR_INTERNAL;
    char reason[ERR_MESSAGE_SIZE];
    memcpy(reason, err->message, sizeof(reason));
    char context[ERR_MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(context, sizeof(context), format, arguments);
    va_end(arguments);
    char text[2 * ERR_MESSAGE_SIZE + 2];
    snprintf(text, sizeof(text), "%s: %s", context, reason);
    store(err, err->code, text);
    return err->code;
}

int err_set_errno(struct err *err, int code, int number, const char *format, ...)
{
    if (!err)
        return code;
    va_list arguments;
    va_start(arguments, format);
    store_format(err, code, format, arguments);
    va_end(arguments);
    err->index = -1;
    char reason[128];
    /* The GNU variant: thread-safe, returns the text. */
    const char *words = strerror_r(number, reason, sizeof(reason));
    char text[ERR_MESSAGE_SIZE + sizeof(reason) + 2];
    snprintf(text, sizeof(text), "%s: %s", err->message, words);
    store(err, code, text);
    return code;
}

const char *err_code_word(int code)
{
    switch (code) {
    case 0:
        return "ok";
#define X(name, value, word)                                                                       \
    case name:                                                                                     \
        return word;
        ERR_CODES(X)
#undef X
    default:
        return "unknown";
    }
}
