/* The table, and the few words it is written in. */
#include "malformed.h"

#include "harness/memory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SIGNATURE      "X-Signature-Ed25519: "
#define TIMESTAMP      "X-Signature-Timestamp: "
#define END            "\r\n"
#define ZEROS_32       "00000000000000000000000000000000"
#define F_32           "ffffffffffffffffffffffffffffffff"

#define GOOD_SIGNATURE SIGNATURE "$S" END
#define GOOD_TIMESTAMP TIMESTAMP "$T" END

const struct malformed malformed_rows[] = {
    /* Missing, renamed, swapped. */
    { "none of them", "" },
    { "no timestamp", GOOD_SIGNATURE },
    { "no signature", GOOD_TIMESTAMP },
    { "another name for the signature", "X-Signature: $S" END GOOD_TIMESTAMP },
    { "underscores", "X_Signature_Ed25519: $S" END GOOD_TIMESTAMP },
    { "a longer name", "X-Signature-Ed25519-2: $S" END GOOD_TIMESTAMP },
    { "a shorter name", "X-Signature-Ed2551: $S" END GOOD_TIMESTAMP },
    { "another name for the timestamp", GOOD_SIGNATURE "X-Timestamp: $T" END },
    { "swapped", SIGNATURE "$T" END TIMESTAMP "$S" END },
    { "both in one", SIGNATURE "$S$T" END },
    { "in a cookie", "Cookie: X-Signature-Ed25519=$S; X-Signature-Timestamp=$T" END },
    { "as Authorization", "Authorization: Ed25519 $S" END GOOD_TIMESTAMP },
    /* Repeated. */
    { "signature twice", GOOD_SIGNATURE GOOD_SIGNATURE GOOD_TIMESTAMP },
    { "a good and a bad signature", GOOD_SIGNATURE SIGNATURE "$W" END GOOD_TIMESTAMP },
    { "a bad and a good signature", SIGNATURE "$W" END GOOD_SIGNATURE GOOD_TIMESTAMP },
    { "an empty and a good signature", SIGNATURE END GOOD_SIGNATURE GOOD_TIMESTAMP },
    { "timestamp twice", GOOD_SIGNATURE GOOD_TIMESTAMP GOOD_TIMESTAMP },
    { "two timestamps", GOOD_SIGNATURE GOOD_TIMESTAMP TIMESTAMP "$N" END },
    { "timestamp twice in two cases",
      GOOD_SIGNATURE GOOD_TIMESTAMP "x-signature-timestamp: $T" END },
    /* The signature's form. */
    { "empty signature", SIGNATURE END GOOD_TIMESTAMP },
    { "blank signature", SIGNATURE "   " END GOOD_TIMESTAMP },
    { "one digit", SIGNATURE "0" END GOOD_TIMESTAMP },
    { "a digit short", SIGNATURE "$s" END GOOD_TIMESTAMP },
    { "a digit long", SIGNATURE "$S0" END GOOD_TIMESTAMP },
    { "garbage behind", SIGNATURE "$Szz" END GOOD_TIMESTAMP },
    { "a letter at the end", SIGNATURE "$sg" END GOOD_TIMESTAMP },
    { "0x in front", SIGNATURE "0x$S" END GOOD_TIMESTAMP },
    { "quoted", SIGNATURE "\"$S\"" END GOOD_TIMESTAMP },
    { "a list", SIGNATURE "$S, $S" END GOOD_TIMESTAMP },
    { "parameters", SIGNATURE "$S; v=1" END GOOD_TIMESTAMP },
    { "a space inside", SIGNATURE "$s 0" END GOOD_TIMESTAMP },
    { "a tab inside", SIGNATURE "$s\t0" END GOOD_TIMESTAMP },
    { "a colon at the end", SIGNATURE "$s:" END GOOD_TIMESTAMP },
    { "percent-encoded", SIGNATURE "$s%30" END GOOD_TIMESTAMP },
    { "UTF-8", SIGNATURE "$s\xc3\xa9" END GOOD_TIMESTAMP },
    { "no UTF-8", SIGNATURE "$s\xff" END GOOD_TIMESTAMP },
    { "full-width digits", SIGNATURE "$s\xef\xbc\x90" END GOOD_TIMESTAMP },
    { "base64", SIGNATURE "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=" END GOOD_TIMESTAMP },
    { "4,000 digits", SIGNATURE "$K" END GOOD_TIMESTAMP },
    /* The signature's value. */
    { "a wrong digit", SIGNATURE "$W" END GOOD_TIMESTAMP },
    { "zeros", SIGNATURE ZEROS_32 ZEROS_32 ZEROS_32 ZEROS_32 END GOOD_TIMESTAMP },
    { "all bits", SIGNATURE F_32 F_32 F_32 F_32 END GOOD_TIMESTAMP },
    { "the neutral point",
      SIGNATURE "01000000000000000000000000000000" ZEROS_32 ZEROS_32 ZEROS_32 END GOOD_TIMESTAMP },
    { "a point of small order",
      SIGNATURE "ecffffffffffffffffffffffffffffff"
                "ffffffffffffffffffffffffffffff7f" ZEROS_32 ZEROS_32 END GOOD_TIMESTAMP },
    /* The timestamp's form. */
    { "empty timestamp", GOOD_SIGNATURE TIMESTAMP END },
    { "blank timestamp", GOOD_SIGNATURE TIMESTAMP "  " END },
    { "plus", GOOD_SIGNATURE TIMESTAMP "+$T" END },
    { "minus", GOOD_SIGNATURE TIMESTAMP "-$T" END },
    { "fraction", GOOD_SIGNATURE TIMESTAMP "$T.0" END },
    { "exponent", GOOD_SIGNATURE TIMESTAMP "$Te0" END },
    { "hexadecimal", GOOD_SIGNATURE TIMESTAMP "0x65000000" END },
    { "underscore", GOOD_SIGNATURE TIMESTAMP "$T_0" END },
    { "words", GOOD_SIGNATURE TIMESTAMP "now" END },
    { "a date", GOOD_SIGNATURE TIMESTAMP "2026-08-01T00:00:00Z" END },
    { "a list of timestamps", GOOD_SIGNATURE TIMESTAMP "$T, $T" END },
    { "two in one", GOOD_SIGNATURE TIMESTAMP "$T $T" END },
    { "Arabic digits", GOOD_SIGNATURE TIMESTAMP "\xd9\xa1\xd9\xa7\xd9\xa0" END },
    { "20 digits", GOOD_SIGNATURE TIMESTAMP "0000000000$T" END },
    { "4,000 digits of time", GOOD_SIGNATURE TIMESTAMP "$K" END },
    /* The timestamp's value. */
    { "1970", GOOD_SIGNATURE TIMESTAMP "0" END },
    { "a digit more", GOOD_SIGNATURE TIMESTAMP "$T0" END },
    { "milliseconds", GOOD_SIGNATURE TIMESTAMP "$T000" END },
    { "the next second", GOOD_SIGNATURE TIMESTAMP "$N" END },
    { "INT64_MAX", GOOD_SIGNATURE TIMESTAMP "9223372036854775807" END },
    { "INT64_MAX + 1", GOOD_SIGNATURE TIMESTAMP "9223372036854775808" END },
    { "2^64", GOOD_SIGNATURE TIMESTAMP "18446744073709551616" END },
    { "2^64 + now", GOOD_SIGNATURE TIMESTAMP "1844674407$T" END },
    /* No HTTP any more. */
    { "no colon", "X-Signature-Ed25519 $S" END GOOD_TIMESTAMP, true },
    { "a control character", SIGNATURE "$s\x01" END GOOD_TIMESTAMP, true },
    { "12,000 digits", SIGNATURE "$L" END GOOD_TIMESTAMP, true },
    { NULL, NULL, false },
};

static void append_digits(struct buf *out, int count)
{
    for (int i = 0; i < count; i++)
        buf_append(out, STR("7"));
}

static void append_word(char word, const struct harness_signature *signature, struct buf *out)
{
    const char *hex = signature->hex;
    switch (word) {
    case 'S':
        buf_append(out, str_from(hex));
        break;
    case 's':
        buf_append_bytes(out, hex, HARNESS_SIGNATURE_HEX - 1);
        break;
    case 'W':
        buf_append_bytes(out, hex, HARNESS_SIGNATURE_HEX - 1);
        buf_append(out, hex[HARNESS_SIGNATURE_HEX - 1] == '0' ? STR("1") : STR("0"));
        break;
    case 'T':
        buf_append(out, str_from(signature->timestamp));
        break;
    case 'N':
        buf_append_format(out, "%" PRId64, (int64_t)strtoll(signature->timestamp, NULL, 10) + 1);
        break;
    case 'K':
        append_digits(out, 4000);
        break;
    case 'L':
        append_digits(out, 12000);
        break;
    default:
        abort();
    }
}

void malformed_request(const struct malformed *row, const struct harness_signature *signature,
                       struct str_view body, struct buf *out)
{
    buf_append_format(out,
                      "POST /interactions HTTP/1.1\r\nHost: bot.example.org\r\n"
                      "Content-Type: application/json\r\nContent-Length: %zu\r\n"
                      "Connection: close\r\n",
                      body.length);
    for (const char *at = row->headers; *at; at++) {
        if (*at == '$')
            append_word(*++at, signature, out);
        else
            buf_append_bytes(out, at, 1);
    }
    buf_append(out, STR("\r\n"));
    buf_append(out, body);
    must_hold(out);
}
