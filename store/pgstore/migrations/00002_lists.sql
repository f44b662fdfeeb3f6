-- What lists, changes and traces need. Indexes that exist already are left as they are, so that they can be made beforehand,
-- CONCURRENTLY, while workers write (docs/how-to/postgresql.md).
ALTER TABLE gtf.tasks ADD COLUMN IF NOT EXISTS trace text NOT NULL DEFAULT ''; -- of the span that submitted

-- The names of people, for tasks that were stored with an id alone.
CREATE TABLE gtf.principals (
    kind  text NOT NULL,
    id    text NOT NULL,
    name  text NOT NULL,
    email text NOT NULL,
    PRIMARY KEY (kind, id)
);

-- Every entry of an index costs a task time, and most rows are written three times. So lists read three parts: what is
-- pending, what runs (by tasks_worker), and what has ended, which is written once. An index of all tasks would be written
-- three times for each. Every version is above 0, and the index says so in order that only lists, which say it
-- too, use the index: a claim by id would walk all of it.
CREATE INDEX IF NOT EXISTS tasks_pending_created ON gtf.tasks (created_at, id) WHERE status = 'pending' AND version > 0;
CREATE INDEX IF NOT EXISTS tasks_ended_created ON gtf.tasks (created_at, id) INCLUDE (scope) WHERE ended_at IS NOT NULL;
DROP INDEX IF EXISTS gtf.tasks_created;

-- One index for scope, type and queue: there are three scopes and few types, so that a list names them all.
CREATE INDEX IF NOT EXISTS tasks_ended_type ON gtf.tasks
    (scope COLLATE "C", type COLLATE "C", queue COLLATE "C", created_at, id) WHERE ended_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS tasks_ended_badly ON gtf.tasks (status, created_at, id) INCLUDE (scope)
    WHERE status IN ('failure', 'aborted', 'timed_out');
CREATE INDEX IF NOT EXISTS tasks_ended_creator ON gtf.tasks (creator_kind, creator_id COLLATE "C", created_at, id)
    WHERE ended_at IS NOT NULL AND creator_id <> '';
CREATE INDEX IF NOT EXISTS tasks_ended_started ON gtf.tasks (started_at, id) WHERE ended_at IS NOT NULL;

-- A task without a key of its own has its id for one.
CREATE INDEX IF NOT EXISTS tasks_ended_key ON gtf.tasks (key COLLATE "C") WHERE ended_at IS NOT NULL AND key <> id::text;

-- Changes, but for tasks that run: those are few, and tasks_worker finds them.
CREATE INDEX IF NOT EXISTS tasks_changed ON gtf.tasks (changed_xid) WHERE status NOT IN ('in_progress', 'aborting');
