-- What the triggers write down. Times are microseconds of the wall clock.
CREATE TABLE torture_changes (
    seq       INTEGER PRIMARY KEY AUTOINCREMENT,
    at        INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    task      TEXT    NOT NULL,
    before    TEXT    NOT NULL, -- empty: inserted
    after     TEXT    NOT NULL, -- empty: deleted
    dedup_key TEXT    NOT NULL,
    claim     INTEGER NOT NULL,
    worker    TEXT,
    payload   TEXT,             -- if it changed
    progress  INTEGER NOT NULL, -- if it changed, else 0
    sealed    INTEGER NOT NULL
);

CREATE TABLE torture_leases (
    seq   INTEGER PRIMARY KEY AUTOINCREMENT,
    at    INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    token TEXT    NOT NULL,
    until INTEGER NOT NULL
);

CREATE TRIGGER torture_insert AFTER INSERT ON tasks BEGIN
    INSERT INTO torture_changes (task, before, after, dedup_key, claim, worker, payload, progress, sealed)
    VALUES (NEW.id, '', NEW.status, NEW.dedup_key, NEW.claim, NEW.worker, NEW.payload, NEW.progress_current, 0);
END;

-- A terminal row may still learn who had it aborted, and how long its log is: that is written in the same transaction.
CREATE TRIGGER torture_update AFTER UPDATE ON tasks
WHEN OLD.status <> NEW.status OR OLD.dedup_key <> NEW.dedup_key OR OLD.claim <> NEW.claim OR OLD.worker IS NOT NEW.worker
    OR OLD.payload IS NOT NEW.payload OR OLD.progress_current <> NEW.progress_current
    OR OLD.status IN ('success', 'failure', 'aborted', 'timed_out') AND (
        OLD.error <> NEW.error OR OLD.result IS NOT NEW.result OR OLD.ended_at IS NOT NEW.ended_at OR OLD.version <> NEW.version
        OR OLD.attempts <> NEW.attempts OR OLD.dedupe_count <> NEW.dedupe_count OR OLD.started_at IS NOT NEW.started_at)
BEGIN
    INSERT INTO torture_changes (task, before, after, dedup_key, claim, worker, payload, progress, sealed)
    VALUES (NEW.id, OLD.status, NEW.status, NEW.dedup_key, NEW.claim, NEW.worker,
        CASE WHEN OLD.payload IS NOT NEW.payload THEN NEW.payload END,
        CASE WHEN OLD.progress_current <> NEW.progress_current THEN NEW.progress_current ELSE 0 END,
        OLD.status IN ('success', 'failure', 'aborted', 'timed_out'));
END;

CREATE TRIGGER torture_delete AFTER DELETE ON tasks BEGIN
    INSERT INTO torture_changes (task, before, after, dedup_key, claim, worker, progress, sealed)
    VALUES (OLD.id, OLD.status, '', OLD.dedup_key, OLD.claim, OLD.worker, 0, 0);
END;

CREATE TRIGGER torture_lease_insert AFTER INSERT ON locks WHEN NEW.name = 'gtf:sweep' BEGIN
    INSERT INTO torture_leases (token, until) VALUES (NEW.token, NEW.ends_at);
END;

CREATE TRIGGER torture_lease_update AFTER UPDATE ON locks WHEN NEW.name = 'gtf:sweep' BEGIN
    INSERT INTO torture_leases (token, until) VALUES (NEW.token, NEW.ends_at);
END;

CREATE TRIGGER torture_lease_delete AFTER DELETE ON locks WHEN OLD.name = 'gtf:sweep' BEGIN
    INSERT INTO torture_leases (token, until) VALUES ('', 0);
END;
