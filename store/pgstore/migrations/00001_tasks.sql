-- A task is one row, and the row is the queue. Durations are microseconds. Columns for what is filtered, counted or updated
-- alone. Input, payload and result are JSON kept as text: jsonb would reorder keys and rewrite numbers.
CREATE TABLE gtf.tasks (
    id                 uuid        NOT NULL PRIMARY KEY,
    created_at         timestamptz NOT NULL,
    changed_at         timestamptz NOT NULL,
    due_at             timestamptz NOT NULL,
    queue_deadline     timestamptz, -- until the first claim
    started_at         timestamptz,
    ended_at           timestamptz,
    aborted_at         timestamptz,
    enqueued_at        timestamptz, -- when another engine got its job
    changed_xid        xid8        NOT NULL DEFAULT pg_current_xact_id(), -- of the last change, for cursors in commit order
    version            bigint      NOT NULL DEFAULT 1,
    claim              bigint      NOT NULL DEFAULT 0, -- the number of the attempt's right to write
    max_queue_time     bigint      NOT NULL DEFAULT 0,
    timeout            bigint      NOT NULL DEFAULT 0,
    backoff_base       bigint      NOT NULL,
    backoff_max        bigint      NOT NULL,
    dedupe_count       bigint      NOT NULL DEFAULT 0,
    log_seq            bigint      NOT NULL DEFAULT 0, -- number of the last line
    log_bytes          bigint      NOT NULL DEFAULT 0, -- bytes of all lines ever kept
    progress_ratio     float8      NOT NULL DEFAULT 0,
    progress_current   bigint      NOT NULL DEFAULT 0,
    progress_total     bigint      NOT NULL DEFAULT 0,
    unmet              integer     NOT NULL DEFAULT 0, -- prerequisites that have not succeeded yet
    max_attempts       integer     NOT NULL,
    priority           smallint    NOT NULL,
    per_client         boolean     NOT NULL DEFAULT false,
    declared_abortable boolean     NOT NULL DEFAULT false,
    abortable          boolean     NOT NULL DEFAULT false,
    timeout_warning    boolean     NOT NULL DEFAULT false,
    dedup_key          text        NOT NULL, -- the task's own id if it has no key, and once it has ended
    type               text        NOT NULL,
    key                text        NOT NULL,
    name               text        NOT NULL,
    scope              text        NOT NULL,
    status             text        NOT NULL,
    mode               text        NOT NULL,
    queue              text        NOT NULL,
    worker             text,
    creator_kind       text        NOT NULL DEFAULT '',
    creator_id         text        NOT NULL DEFAULT '',
    creator_name       text        NOT NULL DEFAULT '',
    abort_reason       text        NOT NULL DEFAULT '',
    aborted_kind       text        NOT NULL DEFAULT '',
    aborted_id         text        NOT NULL DEFAULT '',
    aborted_name       text        NOT NULL DEFAULT '',
    progress_form      text        NOT NULL DEFAULT '',
    error              text        NOT NULL DEFAULT '',
    error_type         text        NOT NULL DEFAULT '',
    attempts           jsonb       NOT NULL DEFAULT '[]',
    input              text        NOT NULL,
    payload            text,
    result             text,
    stack              text        NOT NULL DEFAULT ''
);

-- Who creates: one active task for each key. Rows under their own id are unique by it and cost nothing here.
CREATE UNIQUE INDEX tasks_dedup ON gtf.tasks (dedup_key) WHERE dedup_key <> id::text;

-- What a worker may claim, in the order it is claimed. Tasks that are due later or wait for others cost nothing.
CREATE INDEX tasks_queue ON gtf.tasks (queue, priority, due_at, id)
    WHERE status = 'pending' AND mode = 'async' AND unmet = 0;

-- What is bound to a worker, for its heartbeat and for the reaper.
CREATE INDEX tasks_worker ON gtf.tasks (worker)
    WHERE worker IS NOT NULL AND status IN ('pending', 'in_progress', 'aborting');

CREATE INDEX tasks_queue_deadline ON gtf.tasks (queue_deadline) WHERE queue_deadline IS NOT NULL;
CREATE INDEX tasks_ended ON gtf.tasks (ended_at, id) WHERE ended_at IS NOT NULL;
CREATE INDEX tasks_created ON gtf.tasks (created_at, id);

-- Most rows change three times in their life: dead versions are to go early.
ALTER TABLE gtf.tasks SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

-- Who is attached to a task. Each row carries what lists order by, so that a person's list walks one index.
CREATE TABLE gtf.subscribers (
    task_id      uuid        NOT NULL REFERENCES gtf.tasks (id) ON DELETE CASCADE,
    since        timestamptz NOT NULL,
    task_created timestamptz NOT NULL,
    kind         text        NOT NULL,
    principal_id text        NOT NULL,
    name         text        NOT NULL,
    clients      text[]      NOT NULL DEFAULT '{}',
    PRIMARY KEY (task_id, kind, principal_id)
);

CREATE INDEX subscribers_principal ON gtf.subscribers (kind, principal_id, task_created, task_id);

-- Lines are numbered by task, with gaps where lines were dropped; start_byte is the length of all text before the line.
CREATE TABLE gtf.task_logs (
    task_id    uuid        NOT NULL REFERENCES gtf.tasks (id) ON DELETE CASCADE,
    seq        bigint      NOT NULL,
    at         timestamptz NOT NULL,
    start_byte bigint      NOT NULL,
    level      integer     NOT NULL,
    text       text        NOT NULL,
    PRIMARY KEY (task_id, seq)
);

CREATE TABLE gtf.workers (
    id         text        NOT NULL PRIMARY KEY,
    host       text        NOT NULL,
    pid        bigint      NOT NULL,
    version    text        NOT NULL,
    queues     jsonb       NOT NULL,
    types      text[]      NOT NULL,
    running    bigint      NOT NULL DEFAULT 0,
    started_at timestamptz NOT NULL,
    beat_at    timestamptz NOT NULL,
    lost_at    timestamptz
);

CREATE TABLE gtf.locks (
    name    text        NOT NULL PRIMARY KEY,
    token   text        NOT NULL,
    ends_at timestamptz NOT NULL
);
