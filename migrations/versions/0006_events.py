"""What happened to a job, noted by Postgres itself; and sums that an operator may see.

Triggers note each change of state, so no writer can forget one and an event commits with its
change. They are deferred: numbers are given at the commit, one committing transaction of a job
after the other, so a reader who has seen event n never misses a smaller one that comes later.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

CONTEXT = "nullif(current_setting('winnow.project', true), '')::uuid"

POLICE = f"""
ALTER TABLE job_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE job_events FORCE ROW LEVEL SECURITY;
CREATE POLICY project ON job_events TO winnow_app
    USING (project_id = {CONTEXT}) WITH CHECK (project_id = {CONTEXT});
CREATE POLICY migrations ON job_events TO winnow_owner USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON job_events TO winnow_app; -- what a reader has seen stays as it was
"""

# Nested figures (histograms, losses, errors by line) stay where they are: the job shows them.
SMALL = """
CREATE FUNCTION small_figures(figures jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp AS $$
    SELECT jsonb_object_agg(key, value)
    FROM jsonb_each(CASE jsonb_typeof(figures) WHEN 'object' THEN figures ELSE '{}' END)
    WHERE jsonb_typeof(value) IN ('number', 'boolean')
       OR (jsonb_typeof(value) = 'string' AND length(value::text) <= 200)
$$;
"""

# The lock is taken at the commit, when all other locks are held: it can be waited for in no cycle.
# So the job's row, which the new row refers to, is locked before it: whoever holds it outright, as
# processes of before did, would wait for the advisory lock at their own commit.
ADD = """
CREATE FUNCTION add_job_event(p_project uuid, p_job uuid, p_kind text, p_stage text, p_data jsonb)
RETURNS void LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM FROM jobs j WHERE j.id = p_job FOR KEY SHARE;
    PERFORM pg_advisory_xact_lock(hashtextextended('job events ' || p_job, 0));
    INSERT INTO job_events (project_id, job_id, seq, at, kind, stage, data)
    SELECT p_project, p_job,
           1 + coalesce((SELECT max(e.seq) FROM job_events e WHERE e.job_id = p_job), 0),
           clock_timestamp(), p_kind, p_stage, jsonb_strip_nulls(p_data)
    FROM jobs j WHERE j.id = p_job;
END
$$;
"""

# Columns that only some versions of the table have are read by name.
JOB = """
CREATE FUNCTION note_job() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    fresh jsonb := to_jsonb(NEW);
    kind text := 'job.' || NEW.state;
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.state = 'paused' AND NEW.state IN ('queued', 'running') THEN
        kind := 'job.resumed';
    END IF;
    PERFORM add_job_event(NEW.project_id, NEW.id, kind, NULL, jsonb_build_object(
        'kind', NEW.kind,
        'seconds', extract(epoch FROM NEW.finished_at - NEW.started_at),
        'pause', CASE NEW.state WHEN 'paused' THEN fresh -> 'pause' END,
        'retry_at', CASE NEW.state WHEN 'paused' THEN fresh -> 'retry_at' END,
        'error', fresh -> 'error',
        'result', small_figures(fresh -> 'result')));
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER note_new_job AFTER INSERT ON jobs
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note_job();
CREATE CONSTRAINT TRIGGER note_job AFTER UPDATE OF state ON jobs
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION note_job();
"""

# A stage that runs and is claimed anew was left by a process that died: its attempt tells.
STAGE = """
CREATE FUNCTION note_stage() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    kind text := 'stage.' || NEW.state;
BEGIN
    IF OLD.state = 'running' AND NEW.state = 'ready' THEN
        kind := 'stage.released';
    END IF;
    PERFORM add_job_event(NEW.project_id, NEW.run_id, kind, NEW.name, jsonb_build_object(
        'attempt', nullif(NEW.attempts, 0),
        'seconds', extract(epoch FROM NEW.finished_at - NEW.started_at),
        'peak_memory_bytes', NEW.peak_memory_bytes,
        'error', CASE NEW.state WHEN 'failed' THEN NEW.error END,
        'figures', CASE NEW.state WHEN 'succeeded' THEN small_figures(NEW.figures) END));
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER note_stage AFTER UPDATE OF state ON stages
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (OLD.state IS DISTINCT FROM NEW.state OR OLD.attempts < NEW.attempts)
    EXECUTE FUNCTION note_stage();
"""

BATCH = """
CREATE FUNCTION note_dead_batch() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM add_job_event(NEW.project_id, NEW.run_id, 'batch.dead', 'rate', jsonb_build_object(
        'batch', NEW.number, 'attempt', NEW.attempts, 'calls', NEW.calls, 'error', NEW.error));
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER note_dead_batch AFTER UPDATE OF state ON rating_batches
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (OLD.state <> 'dead' AND NEW.state = 'dead') EXECUTE FUNCTION note_dead_batch();
"""

# Sums over all projects, in a schema that services cannot see; sixteen rows where one would make
# every flush wait for every other. Erased usage stays in the sums: they only grow.
TOTALS = """
CREATE SCHEMA totals;
REVOKE ALL ON SCHEMA totals FROM PUBLIC;
CREATE TABLE totals.usage (
    kind text, model text, status text, shard smallint,
    attempts bigint NOT NULL, prompt_tokens bigint NOT NULL, completion_tokens bigint NOT NULL,
    PRIMARY KEY (kind, model, status, shard)
) WITH (fillfactor = 50);
LOCK TABLE usage IN SHARE ROW EXCLUSIVE MODE; -- nothing comes between the sum and its trigger
INSERT INTO totals.usage SELECT kind, model, status, 0, count(*),
    coalesce(sum(prompt_tokens), 0), coalesce(sum(completion_tokens), 0)
    FROM usage GROUP BY kind, model, status;
CREATE FUNCTION totals.add_usage() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO totals.usage AS t SELECT kind, model, status, pg_backend_pid() % 16, count(*),
        coalesce(sum(prompt_tokens), 0), coalesce(sum(completion_tokens), 0)
        FROM added GROUP BY kind, model, status ORDER BY kind, model, status
        ON CONFLICT (kind, model, status, shard) DO UPDATE SET
            attempts = t.attempts + excluded.attempts,
            prompt_tokens = t.prompt_tokens + excluded.prompt_tokens,
            completion_tokens = t.completion_tokens + excluded.completion_tokens;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION totals.add_usage() FROM PUBLIC;
CREATE TRIGGER add_usage AFTER INSERT ON usage
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION totals.add_usage();
CREATE FUNCTION usage_totals()
RETURNS TABLE (kind text, model text, status text, attempts bigint,
               prompt_tokens bigint, completion_tokens bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT kind, model, status, sum(attempts)::bigint,
           sum(prompt_tokens)::bigint, sum(completion_tokens)::bigint
    FROM totals.usage GROUP BY kind, model, status ORDER BY sum(attempts) DESC LIMIT 500
$$;
REVOKE ALL ON FUNCTION usage_totals() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION usage_totals() TO winnow_app;
"""

# How much is there and how long the oldest has waited, over all projects; no id, no name.
WORKLOAD = """
CREATE FUNCTION workload()
RETURNS TABLE (what text, kind text, state text, n bigint, oldest_seconds double precision)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT 'jobs', j.kind, j.state, count(*), extract(epoch FROM now() - min(j.created_at))
        FROM jobs j GROUP BY j.kind, j.state
    UNION ALL
    SELECT 'stages', s.name, s.state, count(*),
           extract(epoch FROM now() - min(CASE s.state WHEN 'ready' THEN s.sent_at
                                                       ELSE s.started_at END))
        FROM stages s WHERE s.state IN ('ready', 'running') GROUP BY s.name, s.state
$$;
REVOKE ALL ON FUNCTION workload() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION workload() TO winnow_app;
"""

# A pause is nobody's work: neither a job's own, nor that of the stage it names, nor, where a person
# asked for it and it names none, that of any. Read under the caller's policies.
WAITED = """
CREATE FUNCTION waited_seconds(p_job uuid, p_stage text, p_from timestamptz, p_until timestamptz)
RETURNS double precision LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT coalesce(sum(greatest(0, extract(
        epoch FROM least(w.ended, p_until) - greatest(w.at, p_from)))), 0)::double precision
    FROM (SELECT e.kind, e.at, e.data -> 'pause' ->> 'stage' AS stage,
                 lead(e.at) OVER (ORDER BY e.seq) AS ended
          FROM job_events e WHERE e.job_id = p_job AND e.stage IS NULL) w
    WHERE w.kind = 'job.paused' AND (w.stage IS NULL OR w.stage = p_stage)
$$;
"""

# What stages took lately, in any project, for the first estimate of a new one: numbers and the
# LLM's name; no id, no name, and figures without what is nested or a text.
RECENT = """
CREATE FUNCTION recent_stages(p_runs integer)
RETURNS TABLE (run bigint, llm text, name text, seconds double precision, figures jsonb)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH lately AS (
        SELECT j.id, row_number() OVER (ORDER BY j.created_at DESC) AS place FROM jobs j
        WHERE j.kind = 'run' AND j.state = 'succeeded' ORDER BY j.created_at DESC LIMIT p_runs)
    SELECT l.place, r.llm, s.name, greatest(0, extract(epoch FROM s.finished_at - s.started_at)
               - waited_seconds(l.id, s.name, s.started_at, s.finished_at)),
           coalesce((SELECT jsonb_object_agg(f.key, f.value) FROM jsonb_each(s.figures) f
                     WHERE jsonb_typeof(f.value) = 'number'), '{}')
    FROM lately l JOIN runs r ON r.id = l.id JOIN stages s ON s.run_id = l.id
    WHERE s.finished_at > s.started_at
$$;
REVOKE ALL ON FUNCTION recent_stages(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION recent_stages(integer) TO winnow_app;
CREATE FUNCTION recent_imports(p_kind text, p_jobs integer)
RETURNS TABLE (size_bytes bigint, seconds double precision)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT i.size_bytes, greatest(0, extract(epoch FROM lately.finished_at - lately.started_at)
               - waited_seconds(lately.id, NULL, lately.started_at, lately.finished_at)) FROM (
        SELECT j.id, j.started_at, j.finished_at FROM jobs j
        WHERE j.kind = 'import' AND j.state = 'succeeded' AND j.finished_at > j.started_at
        ORDER BY j.created_at DESC LIMIT p_jobs) lately
    JOIN imports i ON i.id = lately.id WHERE i.kind = p_kind AND i.size_bytes > 0
$$;
REVOKE ALL ON FUNCTION recent_imports(text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION recent_imports(text, integer) TO winnow_app;
"""

FUNCTIONS = (
    "recent_imports(text, integer)",
    "recent_stages(integer)",
    "workload()",
    "usage_totals()",
    "note_dead_batch()",
    "note_stage()",
    "note_job()",
    "add_job_event(uuid, uuid, text, text, jsonb)",
    "small_figures(jsonb)",
    "waited_seconds(uuid, text, timestamptz, timestamptz)",
)
TRIGGERS = (
    ("add_usage", "usage"),
    ("note_dead_batch", "rating_batches"),
    ("note_stage", "stages"),
    ("note_job", "jobs"),
    ("note_new_job", "jobs"),
)


def upgrade() -> None:
    """Make the table of events, what fills it, and the sums."""
    op.create_table(
        "job_events",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("stage", sa.String(), nullable=True),
        sa.Column("data", postgresql.JSONB(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id", "job_id"],
            ["jobs.project_id", "jobs.id"],
            name=op.f("fk_job_events_project_id_job_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("job_id", "seq", name=op.f("pk_job_events")),
    )
    op.add_column(
        "stages",
        sa.Column("marks", postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False),
    )
    op.create_index("ix_jobs_kind_state_created_at", "jobs", ["kind", "state", "created_at"])
    op.create_index(
        "ix_stages_active",
        "stages",
        ["state"],
        postgresql_where=sa.text("state IN ('ready', 'running')"),
    )
    for definition in (POLICE, SMALL, ADD, JOB, STAGE, BATCH, TOTALS, WORKLOAD, WAITED, RECENT):
        op.execute(definition)


def downgrade() -> None:
    """Take events and sums away."""
    for trigger, table in TRIGGERS:
        op.execute(f"DROP TRIGGER {trigger} ON {table}")
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION {function}")
    op.execute("DROP SCHEMA totals CASCADE")
    op.drop_index("ix_stages_active", "stages")
    op.drop_index("ix_jobs_kind_state_created_at", "jobs")
    op.drop_column("stages", "marks")
    op.drop_table("job_events")
