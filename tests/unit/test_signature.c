/* The signature check: who is let in, and what is refused before any curve arithmetic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bronx/clock.h"
#include "core/metrics.h"
#include "http/signature.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW_SECONDS    INT64_C(1700000000)
#define NOW_TEXT       "1700000000"
#define BODY           "{\"type\":1}"
#define VECTOR_LINE    8192
#define VECTOR_BYTES   4096
#define WYCHEPROOF_ALL 151
#define SPECCHECK_ALL  12

/* --- published vectors --- */

struct tally {
    int wycheproof, wycheproof_accepted, speccheck, speccheck_accepted;
};

static size_t decode(struct str_view hex, unsigned char *bytes)
{
    size_t length = 0;
    if (str_equal(hex, STR("-")))
        return 0;
    assert_int_equal(sodium_hex2bin(bytes, VECTOR_BYTES, hex.data, hex.length, NULL, &length, NULL),
                     0);
    return length;
}

static struct str_view next_word(struct str_view *line)
{
    struct str_view word = STR_NONE;
    assert_true(str_split(line, ' ', &word));
    return word;
}

static void check_vector(struct str_view line, struct tally *tally)
{
    static unsigned char key[VECTOR_BYTES], message[VECTOR_BYTES], signature[VECTOR_BYTES];
    struct str_view name = next_word(&line), verdict = next_word(&line);
    struct str_view key_hex = next_word(&line), message_hex = next_word(&line);
    struct str_view signature_hex = next_word(&line);
    assert_int_equal(decode(key_hex, key), ED25519_KEY_BYTES);
    struct str_view text = { (const char *)message, decode(message_hex, message) };
    bool is_accepted = decode(signature_hex, signature) == SIGNATURE_BYTES &&
                       signature_verify(key, text, signature);
    if (is_accepted != str_equal(verdict, STR("accept")))
        fail_msg("%.*s should be: %.*s", STR_ARGS(name), STR_ARGS(verdict));
    bool is_wycheproof = str_starts_with(name, STR("wycheproof-"));
    tally->wycheproof += is_wycheproof;
    tally->wycheproof_accepted += is_wycheproof && is_accepted;
    tally->speccheck += !is_wycheproof;
    tally->speccheck_accepted += !is_wycheproof && is_accepted;
}

static void published_vectors_are_judged_as_published(void **state)
{
    (void)state;
    static char line[VECTOR_LINE];
    struct tally tally = { 0 };
    FILE *file = fopen(TEST_DATA_DIR "/ed25519_vectors.txt", "re");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file)) {
        struct str_view text = str_trim(str_from(line));
        assert_true(strlen(line) < sizeof(line) - 1);
        if (text.length > 0 && text.data[0] != '#')
            check_vector(text, &tally);
    }
    fclose(file);
    assert_int_equal(tally.wycheproof, WYCHEPROOF_ALL);
    assert_int_equal(tally.wycheproof_accepted, 88);
    assert_int_equal(tally.speccheck, SPECCHECK_ALL);
    assert_int_equal(tally.speccheck_accepted, 1);
}

/* --- the policy --- */

struct signer {
    struct signature_policy policy;
    unsigned char secret[crypto_sign_SECRETKEYBYTES];
};

static void signer_init(struct signer *signer)
{
    unsigned char seed[crypto_sign_SEEDBYTES] = { 7 };
    assert_true(sodium_init() >= 0);
    *signer = (struct signer){ .policy = { .max_age_seconds = 300, .max_skew_seconds = 30 } };
    crypto_sign_seed_keypair(signer->policy.keys.bytes[0], signer->secret, seed);
    signer->policy.keys.count = 1;
}

static void sign(const struct signer *signer, const char *timestamp, const char *body,
                 char hex[129])
{
    unsigned char signature[SIGNATURE_BYTES];
    char message[256];
    int length = snprintf(message, sizeof(message), "%s%s", timestamp, body);
    crypto_sign_detached(signature, NULL, (const unsigned char *)message,
                         (unsigned long long)length, signer->secret);
    sodium_bin2hex(hex, 129, signature, sizeof(signature));
}

/* Lays the body out as the server does, with room for the timestamp in front. */
static enum signature_refusal check(const struct signer *signer, struct signed_request request,
                                    const char *body)
{
    char memory[SIGNATURE_TIMESTAMP_MAX + 256];
    request.body = memory + SIGNATURE_TIMESTAMP_MAX;
    request.body_length = strlen(body);
    memcpy(request.body, body, request.body_length);
    return signature_check(&signer->policy, &request, NOW_SECONDS * MS_PER_SECOND);
}

static enum signature_refusal check_texts(const struct signer *signer, const char *signature,
                                          const char *timestamp, const char *body)
{
    struct signed_request request = { .signature = str_from(signature),
                                      .timestamp = str_from(timestamp) };
    return check(signer, request, body);
}

static void a_signed_request_passes_in_either_case_of_hex(void **state)
{
    (void)state;
    struct signer signer;
    char hex[129];
    signer_init(&signer);
    sign(&signer, NOW_TEXT, BODY, hex);
    assert_int_equal(check_texts(&signer, hex, NOW_TEXT, BODY), SIGNATURE_ACCEPTED);
    for (char *digit = hex; *digit; digit++)
        if (*digit >= 'a')
            *digit = (char)(*digit - 'a' + 'A');
    assert_int_equal(check_texts(&signer, hex, NOW_TEXT, BODY), SIGNATURE_ACCEPTED);
}

static void malformed_headers_are_refused_by_their_form(void **state)
{
    (void)state;
    struct signer signer;
    char good[129], longer[131], shorter[128], garbage[129], spaced[129];
    signer_init(&signer);
    sign(&signer, NOW_TEXT, BODY, good);
    snprintf(longer, sizeof(longer), "%s00", good);
    snprintf(shorter, sizeof(shorter), "%.127s", good);
    snprintf(garbage, sizeof(garbage), "%.126szz", good);
    snprintf(spaced, sizeof(spaced), "%.126s  ", good);
    const struct {
        const char *signature, *timestamp;
        enum signature_refusal expected;
    } rows[] = {
        { NULL, NOW_TEXT, REFUSED_HEADER_MISSING },
        { good, NULL, REFUSED_HEADER_MISSING },
        { NULL, NULL, REFUSED_HEADER_MISSING },
        { "", NOW_TEXT, REFUSED_SIGNATURE_FORM },
        { longer, NOW_TEXT, REFUSED_SIGNATURE_FORM },
        { shorter, NOW_TEXT, REFUSED_SIGNATURE_FORM },
        { garbage, NOW_TEXT, REFUSED_SIGNATURE_FORM },
        { spaced, NOW_TEXT, REFUSED_SIGNATURE_FORM },
        { longer, "nonsense", REFUSED_SIGNATURE_FORM },
        { good, "", REFUSED_TIMESTAMP_FORM },
        { good, "+1700000000", REFUSED_TIMESTAMP_FORM },
        { good, "-1700000000", REFUSED_TIMESTAMP_FORM },
        { good, " 1700000000", REFUSED_TIMESTAMP_FORM },
        { good, "1700000000 ", REFUSED_TIMESTAMP_FORM },
        { good, "1700000000.0", REFUSED_TIMESTAMP_FORM },
        { good, "17e8", REFUSED_TIMESTAMP_FORM },
        { good, "0x6553f100", REFUSED_TIMESTAMP_FORM },
        { good, "9223372036854775808", REFUSED_TIMESTAMP_FORM },
        { good, "00000000001700000000", REFUSED_TIMESTAMP_FORM },
        { good, "9223372036854775807", REFUSED_TIMESTAMP_STALE },
        { good, "0", REFUSED_TIMESTAMP_STALE },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        assert_int_equal(check_texts(&signer, rows[i].signature, rows[i].timestamp, BODY),
                         rows[i].expected);
}

static void repeated_headers_are_refused(void **state)
{
    (void)state;
    struct signer signer;
    char hex[129];
    signer_init(&signer);
    sign(&signer, NOW_TEXT, BODY, hex);
    struct signed_request request = { .signature = str_from(hex), .timestamp = STR(NOW_TEXT) };
    request.is_signature_repeated = true;
    assert_int_equal(check(&signer, request, BODY), REFUSED_HEADER_REPEATED);
    request.is_signature_repeated = false;
    request.is_timestamp_repeated = true;
    assert_int_equal(check(&signer, request, BODY), REFUSED_HEADER_REPEATED);
}

static void stale_and_early_requests_are_refused_though_signed(void **state)
{
    (void)state;
    const struct {
        int64_t offset;
        enum signature_refusal expected;
    } rows[] = {
        { -301, REFUSED_TIMESTAMP_STALE }, { -300, SIGNATURE_ACCEPTED },
        { 0, SIGNATURE_ACCEPTED },         { 30, SIGNATURE_ACCEPTED },
        { 31, REFUSED_TIMESTAMP_STALE },
    };
    struct signer signer;
    signer_init(&signer);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char timestamp[24], hex[129];
        snprintf(timestamp, sizeof(timestamp), "%lld", (long long)(NOW_SECONDS + rows[i].offset));
        sign(&signer, timestamp, BODY, hex);
        assert_int_equal(check_texts(&signer, hex, timestamp, BODY), rows[i].expected);
    }
}

/* Nothing separates timestamp and body in the signed message. */
static void only_the_true_split_of_timestamp_and_body_passes(void **state)
{
    (void)state;
    struct signer signer;
    char hex[129];
    signer_init(&signer);
    sign(&signer, NOW_TEXT, "12345", hex);
    const struct {
        const char *timestamp, *body;
        enum signature_refusal expected;
    } rows[] = {
        { "170000000", "012345", REFUSED_TIMESTAMP_STALE },
        { NOW_TEXT, "12345", SIGNATURE_ACCEPTED },
        { "17000000001", "2345", REFUSED_TIMESTAMP_STALE },
        { "170000000012345", "", REFUSED_TIMESTAMP_STALE },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        assert_int_equal(check_texts(&signer, hex, rows[i].timestamp, rows[i].body),
                         rows[i].expected);
}

static void an_empty_body_is_refused_though_signed(void **state)
{
    (void)state;
    struct signer signer;
    char hex[129];
    signer_init(&signer);
    sign(&signer, NOW_TEXT, "", hex);
    assert_int_equal(check_texts(&signer, hex, NOW_TEXT, ""), REFUSED_BODY_EMPTY);
}

static void a_flipped_bit_anywhere_is_refused(void **state)
{
    (void)state;
    struct signer signer;
    char hex[129], body[] = BODY;
    signer_init(&signer);
    sign(&signer, NOW_TEXT, BODY, hex);
    for (size_t bit = 0; bit < 8 * (sizeof(body) - 1); bit++) {
        body[bit / 8] = (char)(body[bit / 8] ^ (1 << bit % 8));
        if (!memchr(body, '\0', sizeof(body) - 1))
            assert_int_equal(check_texts(&signer, hex, NOW_TEXT, body), REFUSED_SIGNATURE_WRONG);
        body[bit / 8] = (char)(body[bit / 8] ^ (1 << bit % 8));
    }
    for (size_t digit = 0; digit < 128; digit++) {
        char before = hex[digit];
        hex[digit] = before == '0' ? '1' : '0';
        assert_int_equal(check_texts(&signer, hex, NOW_TEXT, BODY), REFUSED_SIGNATURE_WRONG);
        hex[digit] = before;
    }
    assert_int_equal(check_texts(&signer, hex, "1700000001", BODY), REFUSED_SIGNATURE_WRONG);
}

static void any_of_several_keys_will_do_while_one_is_rotated(void **state)
{
    (void)state;
    struct signer signer, other;
    char hex[129];
    unsigned char seed[crypto_sign_SEEDBYTES] = { 8 };
    signer_init(&signer);
    other = signer;
    crypto_sign_seed_keypair(other.policy.keys.bytes[0], other.secret, seed);
    sign(&other, NOW_TEXT, BODY, hex);
    assert_int_equal(check_texts(&signer, hex, NOW_TEXT, BODY), REFUSED_SIGNATURE_WRONG);
    memcpy(signer.policy.keys.bytes[1], other.policy.keys.bytes[0], ED25519_KEY_BYTES);
    signer.policy.keys.count = 2;
    assert_int_equal(check_texts(&signer, hex, NOW_TEXT, BODY), SIGNATURE_ACCEPTED);
    signer.policy.keys.count = 0;
    assert_int_equal(check_texts(&signer, hex, NOW_TEXT, BODY), REFUSED_SIGNATURE_WRONG);
}

/* The enum and the table of metrics are two lists of the same reasons. */
static void reasons_are_counted_under_their_names(void **state)
{
    (void)state;
    const struct {
        enum signature_refusal refusal;
        const char *line;
    } rows[] = {
        { REFUSED_HEADER_MISSING, "{reason=\"header_missing\"} 1\n" },
        { REFUSED_HEADER_REPEATED, "{reason=\"header_repeated\"} 1\n" },
        { REFUSED_SIGNATURE_FORM, "{reason=\"signature_form\"} 1\n" },
        { REFUSED_TIMESTAMP_FORM, "{reason=\"timestamp_form\"} 1\n" },
        { REFUSED_TIMESTAMP_STALE, "{reason=\"timestamp_stale\"} 1\n" },
        { REFUSED_BODY_EMPTY, "{reason=\"body_empty\"} 1\n" },
        { REFUSED_BODY_SIZE, "{reason=\"body_size\"} 1\n" },
        { REFUSED_SIGNATURE_WRONG, "{reason=\"signature_wrong\"} 1\n" },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        CLEANUP(buf_free) struct buf text = { 0 };
        struct metrics *metrics = metrics_new();
        assert_non_null(metrics);
        metrics_add_by(metrics, METRIC_REFUSED, (int)rows[i].refusal - 1, 1);
        metrics_expose(metrics, &text);
        assert_non_null(strstr(text.data, rows[i].line));
        metrics_free(metrics);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors_are_judged_as_published),
        cmocka_unit_test(a_signed_request_passes_in_either_case_of_hex),
        cmocka_unit_test(malformed_headers_are_refused_by_their_form),
        cmocka_unit_test(repeated_headers_are_refused),
        cmocka_unit_test(stale_and_early_requests_are_refused_though_signed),
        cmocka_unit_test(only_the_true_split_of_timestamp_and_body_passes),
        cmocka_unit_test(an_empty_body_is_refused_though_signed),
        cmocka_unit_test(a_flipped_bit_anywhere_is_refused),
        cmocka_unit_test(any_of_several_keys_will_do_while_one_is_rotated),
        cmocka_unit_test(reasons_are_counted_under_their_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
