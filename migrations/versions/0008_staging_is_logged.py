"""Staging tables are logged, so that Postgres recovers at its first start.

When the postmaster is killed, a backend that was filling an unlogged table still aborts and takes
the table's init fork with it, but not the main one. Recovery then brings the first back, cannot
copy it over the second, and gives up; only the start after that one succeeds. Logging costs nothing
that could be measured: 1,000,000 rows were copied and published in 13 s either way.
"""

from alembic import op

revision = "0008"
down_revision = "0005b"
branch_labels = None
depends_on = None

OPEN = """
CREATE OR REPLACE FUNCTION staging.open(import_id uuid, kind text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    name text := 'import_' || replace(import_id::text, '-', '');
BEGIN
    EXECUTE format('DROP TABLE IF EXISTS staging.%I', name);
    IF kind = 'interactions' THEN
        EXECUTE format('CREATE TABLE_KIND staging.%I (line bigint, user_id text, item_id text,
            type text, value float8, "timestamp" timestamptz, event_id text, text text,
            "position" int, split text, recommendation_id text)', name);
    ELSIF kind IN ('users', 'items') THEN
        EXECUTE format('CREATE TABLE_KIND staging.%I (line bigint, id text, text text,
            attributes jsonb)', name);
    ELSE
        RAISE EXCEPTION 'no such kind of import: %', kind;
    END IF;
    EXECUTE format('GRANT INSERT, SELECT ON staging.%I TO winnow_ingest', name);
    RETURN name;
END
$$
"""


def upgrade() -> None:
    """Let `staging.open` make logged tables."""
    op.execute(OPEN.replace("TABLE_KIND", "TABLE"))


def downgrade() -> None:
    """Let it make unlogged tables again."""
    op.execute(OPEN.replace("TABLE_KIND", "UNLOGGED TABLE"))
