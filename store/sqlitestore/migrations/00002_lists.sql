-- +goose Up

-- The trace of the span that submitted, for the executor's.
ALTER TABLE tasks ADD COLUMN trace TEXT NOT NULL DEFAULT '';

-- Names of people, for tasks that were stored with an id alone.
CREATE TABLE principals (
    kind    TEXT    NOT NULL,
    id      TEXT    NOT NULL,
    name    TEXT    NOT NULL,
    email   TEXT    NOT NULL DEFAULT '',
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;

-- Every entry of an index costs a task time, so each is made once if it can: on submit for what never changes, at the end
-- for the rest. What is pending or runs is found by tasks_queue, tasks_unmet and tasks_held.
-- One index for scope, type and queue: there are few of them, so that a list names them all.
CREATE INDEX tasks_kind ON tasks (scope, type, queue, created_at, id);
CREATE INDEX tasks_creator ON tasks (creator_kind, creator_id, created_at, id) WHERE creator_id <> '';
CREATE INDEX tasks_key ON tasks (key) WHERE key <> id; -- a task without a key of its own has its id for one
CREATE INDEX tasks_unmet ON tasks (id) WHERE status = 'pending' AND unmet > 0;
CREATE INDEX tasks_started ON tasks (coalesce(started_at, 0)) WHERE ended_at IS NOT NULL;
CREATE INDEX tasks_ended_badly ON tasks (status, created_at, id, scope) WHERE status = 'failure' OR status = 'aborted' OR status = 'timed_out';

-- What is bound to a worker, by a condition that costs less: for a list of three SQLite builds a table at every write.
DROP INDEX tasks_worker;
CREATE INDEX tasks_held ON tasks (worker) WHERE worker IS NOT NULL AND ended_at IS NULL;

-- What changed: new tasks are found by tasks_created, what runs by tasks_held, what has ended by tasks_ended, and what
-- else has changed by an index of its own. touched: by a subscriber who left, which shows in no other column.
ALTER TABLE tasks ADD COLUMN touched INTEGER NOT NULL DEFAULT 0;
CREATE INDEX tasks_altered ON tasks (version) WHERE status = 'pending' AND (dedupe_count > 0 OR claim > 0) OR touched = 1;

-- The time of the last transaction, so that the order of times is that of commits. If the clock was set back by more than a
-- moment, or the file is another one, a new era begins: nobody knows what has changed since the other.
ALTER TABLE versions ADD COLUMN at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE versions ADD COLUMN era TEXT NOT NULL DEFAULT '';
UPDATE versions SET at = coalesce((SELECT max(changed_at) FROM tasks), 0), era = lower(hex(randomblob(8)));

-- Whether it is to a system task, which the subscriber does not see: so one index is enough to count a person's tasks. What an
-- older program adds says 0, and is looked up in the task where it is shown.
ALTER TABLE subscribers ADD COLUMN hidden INTEGER NOT NULL DEFAULT 0;
UPDATE subscribers SET hidden = 1 WHERE task_id IN (SELECT id FROM tasks WHERE scope = 'system');
DROP INDEX subscribers_principal;
CREATE INDEX subscribers_principal ON subscribers (kind, principal_id, hidden, task_created, task_id);

-- +goose Down

DROP INDEX subscribers_principal;
ALTER TABLE subscribers DROP COLUMN hidden;
CREATE INDEX subscribers_principal ON subscribers (kind, principal_id, task_created, task_id);
ALTER TABLE versions DROP COLUMN era;
ALTER TABLE versions DROP COLUMN at;
DROP INDEX tasks_altered;
ALTER TABLE tasks DROP COLUMN touched;
DROP INDEX tasks_held;
CREATE INDEX tasks_worker ON tasks (worker)
    WHERE worker IS NOT NULL AND status IN ('pending', 'in_progress', 'aborting');
DROP INDEX tasks_ended_badly;
DROP INDEX tasks_started;
DROP INDEX tasks_unmet;
DROP INDEX tasks_key;
DROP INDEX tasks_creator;
DROP INDEX tasks_kind;
DROP TABLE principals;
ALTER TABLE tasks DROP COLUMN trace;
