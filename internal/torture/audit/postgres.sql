-- What the triggers write down. Times are microseconds of the wall clock. A row's changes are numbered under its lock, and
-- whoever takes a key that another row has freed waits for that row: so the order of numbers is the order of changes of each
-- row and of each key.
CREATE TABLE torture_changes (
    seq       bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at        bigint  NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
    task      text    NOT NULL,
    before    text    NOT NULL, -- empty: inserted
    after     text    NOT NULL, -- empty: deleted
    dedup_key text    NOT NULL,
    claim     bigint  NOT NULL,
    worker    text,
    payload   text,             -- if it changed
    progress  bigint  NOT NULL, -- if it changed, else 0
    sealed    boolean NOT NULL
);

CREATE TABLE torture_leases (
    seq   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at    bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
    token text   NOT NULL,
    until bigint NOT NULL
);

CREATE FUNCTION torture_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.torture_changes (task, before, after, dedup_key, claim, worker, payload, progress, sealed)
    VALUES (NEW.id, '', NEW.status, NEW.dedup_key, NEW.claim, NEW.worker, NEW.payload, NEW.progress_current, false);
    RETURN NULL;
END $$;

CREATE FUNCTION torture_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.torture_changes (task, before, after, dedup_key, claim, worker, payload, progress, sealed)
    VALUES (NEW.id, OLD.status, NEW.status, NEW.dedup_key, NEW.claim, NEW.worker,
        CASE WHEN OLD.payload IS DISTINCT FROM NEW.payload THEN NEW.payload END,
        CASE WHEN OLD.progress_current <> NEW.progress_current THEN NEW.progress_current ELSE 0 END,
        OLD.status IN ('success', 'failure', 'aborted', 'timed_out'));
    RETURN NULL;
END $$;

CREATE FUNCTION torture_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.torture_changes (task, before, after, dedup_key, claim, worker, progress, sealed)
    VALUES (OLD.id, OLD.status, '', OLD.dedup_key, OLD.claim, OLD.worker, 0, false);
    RETURN NULL;
END $$;

CREATE FUNCTION torture_lease() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        INSERT INTO public.torture_leases (token, until) VALUES ('', 0);
    ELSE
        INSERT INTO public.torture_leases (token, until) VALUES (NEW.token, (extract(epoch FROM NEW.ends_at) * 1000000)::bigint);
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER torture_insert AFTER INSERT ON gtf.tasks FOR EACH ROW EXECUTE FUNCTION torture_insert();

-- A terminal row may still learn who had it aborted, and how long its log is: that is written in the same transaction.
CREATE TRIGGER torture_update AFTER UPDATE ON gtf.tasks FOR EACH ROW
WHEN (OLD.status <> NEW.status OR OLD.dedup_key <> NEW.dedup_key OR OLD.claim <> NEW.claim OR OLD.worker IS DISTINCT FROM NEW.worker
    OR OLD.payload IS DISTINCT FROM NEW.payload OR OLD.progress_current <> NEW.progress_current
    OR OLD.status IN ('success', 'failure', 'aborted', 'timed_out') AND (
        OLD.error <> NEW.error OR OLD.result IS DISTINCT FROM NEW.result OR OLD.ended_at IS DISTINCT FROM NEW.ended_at
        OR OLD.version <> NEW.version OR OLD.attempts <> NEW.attempts OR OLD.dedupe_count <> NEW.dedupe_count
        OR OLD.started_at IS DISTINCT FROM NEW.started_at))
EXECUTE FUNCTION torture_update();

CREATE TRIGGER torture_delete AFTER DELETE ON gtf.tasks FOR EACH ROW EXECUTE FUNCTION torture_delete();

CREATE TRIGGER torture_lease_write AFTER INSERT OR UPDATE ON gtf.locks FOR EACH ROW WHEN (NEW.name = 'gtf:sweep')
EXECUTE FUNCTION torture_lease();

CREATE TRIGGER torture_lease_delete AFTER DELETE ON gtf.locks FOR EACH ROW WHEN (OLD.name = 'gtf:sweep')
EXECUTE FUNCTION torture_lease();
