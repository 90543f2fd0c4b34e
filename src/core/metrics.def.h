/* The table of metrics. Included several times with COUNTER, COUNTER_BY, GAUGE, GAUGE_BY and
 * HISTOGRAM defined as the reader needs; see metrics.h. Histograms are in seconds when shown. Label
 * values are one text separated by spaces, in the order of the enum that counts them. */

COUNTER_BY(METRIC_HTTP_RESPONSES, "bronxbot_http_responses_total", "code",
           "200 204 400 401 404 405 413 500 503 other", "HTTP answers by status code.")
COUNTER_BY(METRIC_REFUSED, "bronxbot_refused_requests_total", "reason",
           "header_missing header_repeated signature_form timestamp_form timestamp_stale "
           "body_empty body_size signature_wrong peer_limited",
           "Requests on the webhook paths refused before they were parsed.")
COUNTER(METRIC_PEERS_LIMITED, "bronxbot_peers_limited_total",
        "Times a peer used up its budget of wrong signatures: above zero, somebody forges.")
COUNTER(METRIC_PROBES, "bronxbot_probes_total",
        "PINGs signed by this process's probe key (bronxbot doctor).")
GAUGE(METRIC_HTTP_CONNECTIONS, "bronxbot_http_connections", "Open connections on LISTEN.")
COUNTER_BY(METRIC_HTTP_TIMEOUTS, "bronxbot_http_timeouts_total", "phase", "header body answer",
           "Connections closed because the peer was too slow.")
COUNTER_BY(METRIC_INTERACTIONS, "bronxbot_interactions_total", "type",
           "ping command component autocomplete modal unknown", "Verified interactions by type.")
COUNTER_BY(METRIC_OUTCOMES, "bronxbot_interaction_outcomes_total", "outcome",
           "ok user_error cooldown gated internal_error",
           "What came of commands, components, modals and autocompletes.")
COUNTER(METRIC_DEFERRED, "bronxbot_deferred_total",
        "Interactions that were answered \"deferred\", the reply following as an edit.")
COUNTER(METRIC_LATE, "bronxbot_late_answers_total",
        "Answers written out more than 3 seconds after the interaction's snowflake.")
HISTOGRAM(METRIC_HANDLING, "bronxbot_handling_seconds",
          "Time from a complete request to its answer being ready.")
HISTOGRAM(METRIC_ACKNOWLEDGE, "bronxbot_acknowledge_seconds",
          "Time from the interaction's snowflake to its answer being handed to the system.")
COUNTER_BY(METRIC_EVENTS, "bronxbot_webhook_events_total", "event",
           "application_authorized application_deauthorized entitlement_create entitlement_update "
           "entitlement_delete other",
           "Verified webhook events by type; duplicates count.")
COUNTER_BY(METRIC_EVENTS_UNRECORDED, "bronxbot_webhook_events_unrecorded_total", "consequence",
           "retried dropped",
           "Webhook events that could not be recorded: Discord was asked to repeat them, or they "
           "were dropped because no repetition would help.")
GAUGE(METRIC_EXECUTOR_THREADS, "bronxbot_executor_threads", "Threads of the executor.")
GAUGE(METRIC_EXECUTOR_QUEUE, "bronxbot_executor_queue", "Tasks waiting for a thread.")
COUNTER(METRIC_EXECUTOR_REFUSED, "bronxbot_executor_refused_total",
        "Tasks refused because the queue was full.")
HISTOGRAM(METRIC_EXECUTOR_WAIT, "bronxbot_executor_wait_seconds",
          "Time a task waited for a thread.")
COUNTER(METRIC_DB_COMMITS, "bronxbot_db_commits_total",
        "Commits; each one of the embedded database may carry several batches.")
COUNTER(METRIC_DB_BATCHES, "bronxbot_db_batches_total",
        "Batches of statements that were committed.")
COUNTER(METRIC_DB_FAILURES, "bronxbot_db_failures_total",
        "Batches and queries that failed for other reasons than a constraint.")
HISTOGRAM(METRIC_DB_COMMIT, "bronxbot_db_commit_seconds",
          "SQLite: time of a commit, disk included. PostgreSQL: of a whole batch.")
HISTOGRAM(METRIC_DB_READ, "bronxbot_db_read_seconds",
          "Time of a read, waiting for a connection included.")
COUNTER_BY(METRIC_DB_RETRIES, "bronxbot_db_retries_total", "reason", "conflict connection",
           "Batches run again because another transaction was in the way, or the connection to "
           "PostgreSQL was lost before COMMIT was sent.")
COUNTER(METRIC_DB_UNKNOWN, "bronxbot_db_unknown_outcomes_total",
        "Connections to PostgreSQL lost between COMMIT and its answer.")
GAUGE(METRIC_DB_POOL_OPEN, "bronxbot_db_pool_open", "Open connections to PostgreSQL.")
GAUGE(METRIC_DB_POOL_IN_USE, "bronxbot_db_pool_in_use", "Connections to PostgreSQL in use.")
GAUGE(METRIC_DB_POOL_WAITING, "bronxbot_db_pool_waiting",
      "Callers that wait for a connection to PostgreSQL.")
COUNTER(METRIC_DB_POOL_OPENED, "bronxbot_db_pool_opened_total",
        "Connections to PostgreSQL that were opened.")
COUNTER(METRIC_DB_POOL_FAILED, "bronxbot_db_pool_failed_total",
        "Attempts to open a connection to PostgreSQL that failed.")
HISTOGRAM(METRIC_DB_POOL_WAIT, "bronxbot_db_pool_wait_seconds",
          "Time a caller waited for a connection to PostgreSQL.")
COUNTER(METRIC_DB_HEARD, "bronxbot_db_calls_heard_total",
        "Calls of processes on the same PostgreSQL, this one's own included.")
GAUGE(METRIC_DB_HEARING, "bronxbot_db_hearing",
      "Connections that hear such calls: 1; 0 behind a pooler and with the embedded database.")
COUNTER_BY(METRIC_CACHE_HITS, "bronxbot_cache_hits_total", "category",
           "user guild stats economy settings temp cooldown",
           "Reads answered by this process's memory.")
COUNTER_BY(METRIC_CACHE_SHARED_HITS, "bronxbot_cache_shared_hits_total", "category",
           "user guild stats economy settings temp cooldown", "Reads answered by Redis.")
COUNTER_BY(METRIC_CACHE_MISSES, "bronxbot_cache_misses_total", "category",
           "user guild stats economy settings temp cooldown",
           "Reads neither level could answer, those that waited for another's load included.")
COUNTER_BY(METRIC_CACHE_LOADS, "bronxbot_cache_loads_total", "category",
           "user guild stats economy settings temp cooldown",
           "Loads from the database, failed ones included.")
COUNTER_BY(METRIC_CACHE_NEGATIVE, "bronxbot_cache_negative_hits_total", "category",
           "user guild stats economy settings temp cooldown",
           "Hits that said: there is no such row.")
COUNTER_BY(METRIC_CACHE_EVICTIONS, "bronxbot_cache_evictions_total", "category",
           "user guild stats economy settings temp cooldown",
           "Entries that left memory for want of room.")
GAUGE_BY(METRIC_CACHE_BYTES, "bronxbot_cache_bytes", "category",
         "user guild stats economy settings temp cooldown",
         "Memory the cache holds in this process.")
COUNTER(METRIC_CACHE_BREAKER_OPENED, "bronxbot_cache_breaker_opened_total",
        "Times Redis was given up until it answers again.")
COUNTER_BY(METRIC_OUTBOX_SENT, "bronxbot_outbox_sent_total", "method",
           "patch post delete channel_post",
           "Edits, follow-ups, deletions and messages to channels that Discord has taken.")
COUNTER(METRIC_OUTBOX_LATE, "bronxbot_outbox_late_total",
        "Deferrals that Discord heard of before they were stored, because the database was slow.")
COUNTER_BY(METRIC_OUTBOX_RETRIES, "bronxbot_outbox_retries_total", "reason",
           "not_yet rate_limited banned server_error network",
           "Tries of an edit or follow-up that will be repeated.")
COUNTER_BY(METRIC_OUTBOX_GIVEN_UP, "bronxbot_outbox_given_up_total", "reason",
           "token_dead expired refused message_gone uncertain run_failed not_stored "
           "channel_closed no_bot_token",
           "Messages that nobody will see (uncertain: maybe); each has a log line.")
COUNTER_BY(METRIC_OUTBOX_LIMITED, "bronxbot_outbox_429_total", "scope",
           "user global shared cloudflare",
           "Answers 429: each is a rate limit that was not foreseen.")
COUNTER_BY(METRIC_OUTBOX_WAITS, "bronxbot_outbox_waits_total", "reason",
           "bucket global banned brake floor",
           "Times a job that was due had to wait, and for what.")
GAUGE(METRIC_OUTBOX_WAITING, "bronxbot_outbox_waiting", "Jobs in this process's memory.")
GAUGE(METRIC_OUTBOX_UNDER_WAY, "bronxbot_outbox_under_way", "Requests to Discord under way.")
GAUGE(METRIC_OUTBOX_BUCKETS, "bronxbot_outbox_buckets", "Rate limit buckets that are known.")
GAUGE(METRIC_OUTBOX_INVALID, "bronxbot_outbox_invalid_requests",
      "Answers 401, 403 and 429 in the last 10 minutes; at 10,000 Discord bans the address.")
HISTOGRAM(METRIC_OUTBOX_DELAY, "bronxbot_outbox_delay_seconds",
          "Time from an edit or follow-up being known to the sender to Discord having taken it.")
GAUGE(METRIC_INSTANCES, "bronxbot_instances", "Processes of the bot that are alive.")
GAUGE(METRIC_LIMITS_SHARED, "bronxbot_limits_shared",
      "1 while Redis deals out the parts of Discord's limits; else they are divided evenly.")
GAUGE(METRIC_LIMITS_GLOBAL, "bronxbot_limits_global",
      "This process's part of the bot's 50 requests a second.")
GAUGE(METRIC_LIMITS_INVALID, "bronxbot_limits_invalid",
      "This process's part of the invalid requests in 10 minutes.")
COUNTER_BY(METRIC_LIMITS_ASKED, "bronxbot_limits_asked_total", "outcome", "given away",
           "Times Redis was asked for parts of the limits.")
COUNTER_BY(METRIC_LIMITS_LESSONS, "bronxbot_limits_lessons_total", "direction", "told heard",
           "Closed buckets, global 429s and bans told to other processes and heard from them.")
GAUGE(METRIC_OUTBOX_QUEUED, "bronxbot_outbox_queued",
      "Jobs of the outbox that wait for a process to take them.")
GAUGE(METRIC_OUTBOX_LEASED, "bronxbot_outbox_leased", "Jobs of the outbox that a process has.")
GAUGE(METRIC_OUTBOX_DEAD, "bronxbot_outbox_dead",
      "Jobs that were given up in the last days: see `bronxbot outbox list`.")
GAUGE(METRIC_OUTBOX_OLDEST, "bronxbot_outbox_oldest_seconds",
      "Age of the oldest job that is queued or leased.")
COUNTER(METRIC_JOURNAL_BATCHES, "bronxbot_outbox_journal_batches_total",
        "Transactions in which changes of jobs were written.")
COUNTER(METRIC_JOURNAL_ENTRIES, "bronxbot_outbox_journal_entries_total",
        "Changes of jobs that were written.")
HISTOGRAM(METRIC_JOURNAL_WRITE, "bronxbot_outbox_journal_write_seconds",
          "Time to write one transaction of changes of jobs.")
COUNTER(METRIC_OUTBOX_CLAIMED, "bronxbot_outbox_claimed_total",
        "Jobs this process took over: handed back, queued again, or left by one that died.")
COUNTER(METRIC_LEASES_LOST, "bronxbot_outbox_leases_lost_total",
        "Times this process was silent for so long that others may have taken its jobs.")
