/* What a check knows and what it finds. Used by src/doctor only. */
#ifndef DOCTOR_CHECK_H
#define DOCTOR_CHECK_H

#include "core/system_clock.h"
#include "doctor/doctor.h"
#include "doctor/fetch.h"

enum finding_state { FINDING_OK, FINDING_WARN, FINDING_FAIL };

struct finding {
    enum finding_state state;
    struct buf detail;  /* what was seen */
    const char *advice; /* what to do about it; static text, NULL when there is nothing to do */
};

/* Appends to the detail; the worse of two states stays, with its advice. */
void finding_add(struct finding *finding, enum finding_state state, const char *advice,
                 const char *format, ...) PRINTF_LIKE(4, 5);

/* A signed PING of the serving bot. */
struct probe_text {
    char timestamp[24], signature[132], body[256];
};

struct application {
    bool is_known;
    int64_t id;
    char verify_key[72];
    char interactions_url[512]; /* "" when unset */
    char events_url[512];
    int64_t events_status; /* 1 off, 2 on, 3 switched off by Discord */
};

/* The patient. Checks fill in what later ones use; all on the main thread. */
struct doctor {
    const struct config_sources *sources;
    const struct doctor_options *options;
    struct config config;
    struct config_report report;
    struct system_clock clock;
    int64_t started_wall_ms, started_us;
    struct fetch_answer gateway;    /* GET /gateway of Discord's API */
    struct application application; /* of GET /applications/@me */
    struct fetch_answer readiness;  /* GET /readyz */
    bool is_front_up;               /* something answers where Discord's requests go */
};

typedef void check_function(struct doctor *doctor, struct finding *finding);

/* local.c: this machine and its files */
check_function check_secret_files, check_open_files, check_database_file, check_disk_space,
    check_migrations, check_time_zones;

/* remote.c: Discord */
check_function check_dns, check_tls, check_clock, check_token_form, check_token, check_application,
    check_public_key, check_interactions_url, check_events_url;

/* serving.c: the bot's endpoints */
check_function check_health, check_readiness, check_front, check_good_ping, check_bad_signature,
    check_missing_headers, check_stale_timestamp, check_wrong_method, check_unknown_path;

/* GET `path` on ADMIN_LISTEN. */
void doctor_ask_admin(const struct doctor *doctor, const char *path, struct fetch_answer *answer);

#endif
