-- +goose Up

-- A task is one row, and the row is the queue. Times are microseconds since 1970, UTC; durations are microseconds.
-- Columns for what is filtered, counted or updated alone. Large columns come last, so that reading the others stays cheap.
CREATE TABLE tasks (
    id                 TEXT    NOT NULL PRIMARY KEY,
    dedup_key          TEXT    NOT NULL, -- the task's own id if it has no key, and once it has ended
    type               TEXT    NOT NULL,
    key                TEXT    NOT NULL,
    name               TEXT    NOT NULL,
    scope              TEXT    NOT NULL,
    status             TEXT    NOT NULL,
    mode               TEXT    NOT NULL,
    queue              TEXT    NOT NULL,
    priority           INTEGER NOT NULL,
    due_at             INTEGER NOT NULL,
    unmet              INTEGER NOT NULL DEFAULT 0, -- prerequisites that have not succeeded yet
    max_queue_time     INTEGER NOT NULL DEFAULT 0,
    queue_deadline     INTEGER,                    -- until the first claim
    claim              INTEGER NOT NULL DEFAULT 0, -- the number of the attempt's right to write
    worker             TEXT,
    created_at         INTEGER NOT NULL,
    changed_at         INTEGER NOT NULL,
    started_at         INTEGER,
    ended_at           INTEGER,
    version            INTEGER NOT NULL,
    creator_kind       TEXT    NOT NULL DEFAULT '',
    creator_id         TEXT    NOT NULL DEFAULT '',
    creator_name       TEXT    NOT NULL DEFAULT '',
    per_client         INTEGER NOT NULL DEFAULT 0,
    dedupe_count       INTEGER NOT NULL DEFAULT 0,
    max_attempts       INTEGER NOT NULL,
    backoff_base       INTEGER NOT NULL,
    backoff_max        INTEGER NOT NULL,
    timeout            INTEGER NOT NULL DEFAULT 0,
    declared_abortable INTEGER NOT NULL DEFAULT 0,
    abortable          INTEGER NOT NULL DEFAULT 0,
    timeout_warning    INTEGER NOT NULL DEFAULT 0,
    abort_reason       TEXT    NOT NULL DEFAULT '',
    aborted_kind       TEXT    NOT NULL DEFAULT '',
    aborted_id         TEXT    NOT NULL DEFAULT '',
    aborted_name       TEXT    NOT NULL DEFAULT '',
    aborted_at         INTEGER,
    progress_form      TEXT    NOT NULL DEFAULT '',
    progress_ratio     REAL    NOT NULL DEFAULT 0,
    progress_current   INTEGER NOT NULL DEFAULT 0,
    progress_total     INTEGER NOT NULL DEFAULT 0,
    log_seq            INTEGER NOT NULL DEFAULT 0, -- number of the last line
    log_bytes          INTEGER NOT NULL DEFAULT 0, -- bytes of all lines ever kept
    error              TEXT    NOT NULL DEFAULT '',
    error_type         TEXT    NOT NULL DEFAULT '',
    attempts           TEXT    NOT NULL DEFAULT '[]',
    input              TEXT    NOT NULL,
    payload            TEXT,
    result             TEXT,
    stack              TEXT    NOT NULL DEFAULT ''
) STRICT;

-- Who creates: one active task for each key. Rows under their own id are unique by it and cost nothing here.
CREATE UNIQUE INDEX tasks_dedup ON tasks (dedup_key) WHERE dedup_key <> id;

-- What a worker may claim, in the order it is claimed. Tasks that are due later or wait for others cost nothing.
CREATE INDEX tasks_queue ON tasks (queue, priority, due_at, id)
    WHERE status = 'pending' AND mode = 'async' AND unmet = 0;

-- What is bound to a worker, for its heartbeat and for the reaper.
CREATE INDEX tasks_worker ON tasks (worker)
    WHERE worker IS NOT NULL AND status IN ('pending', 'in_progress', 'aborting');

CREATE INDEX tasks_queue_deadline ON tasks (queue_deadline) WHERE queue_deadline IS NOT NULL;
CREATE INDEX tasks_ended ON tasks (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX tasks_created ON tasks (created_at, id);

-- Who is attached to a task. Each row carries what lists order by, so that a person's list walks one index.
CREATE TABLE subscribers (
    task_id      TEXT    NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    kind         TEXT    NOT NULL,
    principal_id TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    since        INTEGER NOT NULL,
    task_created INTEGER NOT NULL,
    clients      TEXT    NOT NULL DEFAULT '[]',
    PRIMARY KEY (task_id, kind, principal_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX subscribers_principal ON subscribers (kind, principal_id, task_created, task_id);

-- Lines are numbered by task, with gaps where lines were dropped; start_byte is the length of all text before the line.
CREATE TABLE task_logs (
    task_id    TEXT    NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    seq        INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    level      INTEGER NOT NULL,
    start_byte INTEGER NOT NULL,
    text       TEXT    NOT NULL,
    PRIMARY KEY (task_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE workers (
    id         TEXT    NOT NULL PRIMARY KEY,
    host       TEXT    NOT NULL,
    pid        INTEGER NOT NULL,
    version    TEXT    NOT NULL,
    queues     TEXT    NOT NULL,
    types      TEXT    NOT NULL,
    running    INTEGER NOT NULL DEFAULT 0,
    started_at INTEGER NOT NULL,
    beat_at    INTEGER NOT NULL,
    lost_at    INTEGER
) STRICT;

CREATE TABLE locks (
    name    TEXT    NOT NULL PRIMARY KEY,
    token   TEXT    NOT NULL,
    ends_at INTEGER NOT NULL
) STRICT;

-- The change counter: one number for each committed transaction.
CREATE TABLE versions (n INTEGER NOT NULL) STRICT;
INSERT INTO versions VALUES (0);

-- +goose Down

DROP TABLE versions;
DROP TABLE locks;
DROP TABLE workers;
DROP TABLE task_logs;
DROP TABLE subscribers;
DROP TABLE tasks;
