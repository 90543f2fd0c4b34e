/* A bot with all it depends on, people who keep using it, and trouble that begins and ends
 * meanwhile: one row of the table in docs/operating.md.
 *
 * The test's thread makes the trouble; some threads more are the people. Failures of the fixture
 * itself fail the test that runs. */
#ifndef SERVICE_DEGRADATION_H
#define SERVICE_DEGRADATION_H

#include "harness/bot_process.h"
#include "harness/http_client.h"
#include "harness/postgres.h"
#include "harness/redis.h"
#include "simulator/rest_server.h"

#include <pthread.h>
#include <stdatomic.h>

#define DEGRADATION_DEADLINE_MS 3000  /* Discord's, and that of whoever asks /readyz */
#define DEGRADATION_WAIT_MS     60000 /* for what must come: far more than it takes */
#define DEGRADATION_ASKERS_MAX  200
#define DEGRADATION_QUESTIONS   40000
#define DEGRADATION_LINES_MAX   12

/* What a bot has beside a simulated Discord; without PostgreSQL it has a file. */
enum stage_part { STAGE_REDIS = 1, STAGE_POSTGRES = 2, STAGE_SMALL_DISK = 4 };

enum stage_phase { PHASE_BEFORE, PHASE_TROUBLE, PHASE_AFTER, PHASES };

/* What people do, in turn. */
enum question_kind { ASK_PING, ASK_HELP, ASK_BALANCE, ASK_EXPORT, ASK_PAY, QUESTION_KINDS };

enum answer_kind {
    ANSWER_NONE,     /* none yet */
    ANSWER_NORMAL,   /* what was asked for */
    ANSWER_DEFERRED, /* it follows as an edit */
    ANSWER_POLITE,   /* one sentence with an error id, for the asker alone */
    ANSWER_WRONG,    /* none in time, or another one */
    ANSWER_KINDS
};

struct question {
    enum question_kind kind;
    int64_t id;
    enum answer_kind answer;
};

struct trouble;

struct stage {
    const struct trouble *trouble;
    struct harness_bot bot;
    struct rest_server *discord;
    struct harness_postgres postgres;
    struct harness_redis redis;
    char disk[96]; /* where its small file system is, if it has one */
    char database_url[256];
    char *lines[DEGRADATION_LINES_MAX + 1]; /* the bot's environment */
    struct http_client *admin;
    struct yardstick *yardstick;

    int asker_count;
    pthread_t askers[DEGRADATION_ASKERS_MAX];
    atomic_int phase;    /* enum stage_phase */
    atomic_int next;     /* question */
    atomic_bool is_over; /* no more questions */
    atomic_int answers[PHASES][QUESTION_KINDS][ANSWER_KINDS];
    struct question questions[DEGRADATION_QUESTIONS];
    pthread_mutex_t lock; /* guards the following */
    char first_wrong[1024];
};

/* --- Rows --- */

enum trouble_flag {
    APOLOGIES = 1,   /* people may be asked to try again while it lasts, ... */
    READS_GO_ON = 2, /* ... but not if they only want to look */
    FLEETING = 4,    /* it may be over before it is noticed */
};

struct trouble {
    const char *row;   /* the first cell of its row in docs/operating.md */
    unsigned parts;    /* of enum stage_part */
    unsigned flags;    /* of enum trouble_flag */
    const char *part;  /* of /readyz, and ... */
    const char *state; /* ... what it says meanwhile; NULL: anything but "ok" */
    const char *says;  /* a line of the log, at least once (unless FLEETING), and ... */
    int says_max;      /* ... at most so often; 0: once */
    void (*begin)(struct stage *stage);
    void (*end)(struct stage *stage); /* NULL: `begin` has ended it */
};

/* One table for each part, ended by a row without a name. */
extern const struct trouble redis_troubles[], postgres_troubles[], disk_troubles[],
    discord_troubles[];
extern const struct trouble stop_meanwhile;

/* Lives through one row. */
void degradation_run(const struct trouble *trouble);

/* The same, but the bot is stopped before the trouble ends, and started again after. */
void degradation_run_stop(const struct trouble *trouble);

/* --- For `begin` and `end` --- */

void stage_pause(int milliseconds);

/* Until `count` more questions have been answered, one way or the other. */
void stage_wait_answers(struct stage *stage, int count);

/* Until so many were asked to try again since the trouble began. */
void stage_wait_apologies(struct stage *stage, int count);

/* Until a part of /readyz is in this state, or without one in any but "ok"; without a part: until
 * all are "ok". */
void stage_wait_state(struct stage *stage, const char *part, const char *state);

/* The value of a metric without labels, or with them as it is written. */
int64_t stage_metric(struct stage *stage, const char *name);

/* Whether this process may have small disks. Others don't see what it mounts from here on. */
bool stage_can_mount(void);
/* Fills the disk that `folder` is on until not a byte fits, and makes room again. */
void stage_fill_disk(struct stage *stage, const char *folder);
void stage_free_disk(struct stage *stage, const char *folder);

#endif
