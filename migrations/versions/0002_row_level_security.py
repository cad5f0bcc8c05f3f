"""Row-level security, forced, and the functions that may look past it."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BY_PROJECT = (
    "api_keys",
    "candidates",
    "datasets",
    "embeddings",
    "idempotency_keys",
    "imports",
    "interactions",
    "items",
    "jobs",
    "models",
    "rating_batches",
    "ratings",
    "run_ratings",
    "runs",
    "stages",
    "usage",
    "users",
    "verdicts",
)
# An empty setting means no project; without nullif it would be an error in every query.
CONTEXT = "nullif(current_setting('winnow.project', true), '')::uuid"

POLICE = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY project ON {table} TO winnow_app
    USING ({column} = {context}) WITH CHECK ({column} = {context});
CREATE POLICY migrations ON {table} TO winnow_owner USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO winnow_app;
"""

# A key is looked up before any project is known.
AUTHENTICATE = """
CREATE FUNCTION authenticate(key_prefix text)
RETURNS TABLE (id uuid, project_id uuid, role text, secret_sha256 bytea,
               expires_at timestamptz, revoked_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT k.id, k.project_id, k.role, k.secret_sha256, k.expires_at, k.revoked_at
    FROM api_keys k WHERE k.prefix = key_prefix
$$;
REVOKE ALL ON FUNCTION authenticate(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION authenticate(text) TO winnow_app;
"""

# What should be under way and is not, in every project; each row is marked as sent again.
SWEEP = """
CREATE FUNCTION sweep_overdue(patience interval)
RETURNS TABLE (task text, id uuid, project_id uuid)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH late_stages AS (
        UPDATE stages s SET sent_at = now()
        WHERE (s.state = 'ready' OR (s.state = 'running' AND s.lease_until < now()))
          AND coalesce(s.sent_at, '-infinity') < now() - patience
        RETURNING 'stage.' || s.name AS task, s.run_id AS id, s.project_id
    ), late_batches AS (
        UPDATE stages s SET sent_at = now()
        WHERE s.name = 'rate' AND s.state = 'running' AND s.lease_until = 'infinity'
          AND coalesce(s.sent_at, '-infinity') < now() - patience
          AND EXISTS (SELECT FROM rating_batches b WHERE b.run_id = s.run_id
                      AND (b.state = 'pending' OR (b.state = 'running' AND b.lease_until < now())))
        RETURNING 'rate.batch' AS task, s.run_id AS id, s.project_id
    ), late_imports AS (
        UPDATE imports i SET sent_at = now() FROM jobs j
        WHERE j.id = i.id AND j.state IN ('queued', 'running', 'cancelling')
          AND coalesce(i.lease_until, '-infinity') < now() AND i.sent_at < now() - patience
        RETURNING 'ingest.import' AS task, i.id, i.project_id
    ), late_purges AS (
        SELECT 'ingest.purge_dataset' AS task, d.id, d.project_id
        FROM datasets d WHERE d.deleted_at < now() - patience
    )
    SELECT * FROM late_stages UNION ALL SELECT * FROM late_batches
    UNION ALL SELECT * FROM late_imports UNION ALL SELECT * FROM late_purges
$$;
REVOKE ALL ON FUNCTION sweep_overdue(interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sweep_overdue(interval) TO winnow_app;
"""

FUNCTIONS = ("authenticate(text)", "sweep_overdue(interval)")


def upgrade() -> None:
    """Police every table and open the two doors."""
    op.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    op.execute("GRANT USAGE ON SCHEMA public TO winnow_app, winnow_ingest")
    for table in BY_PROJECT:
        op.execute(POLICE.format(table=table, column="project_id", context=CONTEXT))
    op.execute(POLICE.format(table="projects", column="id", context=CONTEXT))
    op.execute("GRANT SELECT ON prompts TO winnow_app")
    op.execute(AUTHENTICATE)
    op.execute(SWEEP)


def downgrade() -> None:
    """Take policies, grants and doors away."""
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION {function}")
    for table in (*BY_PROJECT, "projects"):
        op.execute(f"DROP POLICY project ON {table}")
        op.execute(f"DROP POLICY migrations ON {table}")
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
        op.execute(f"REVOKE ALL ON {table} FROM winnow_app")
    op.execute("REVOKE ALL ON prompts FROM winnow_app")
    op.execute("REVOKE ALL ON SCHEMA public FROM winnow_app, winnow_ingest")
