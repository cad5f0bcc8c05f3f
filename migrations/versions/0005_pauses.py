"""What a job or a stage waits for, and until when; the sweep sends no sooner."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = ("jobs", "stages")

SWEEP = """
CREATE OR REPLACE FUNCTION sweep_overdue(patience interval)
RETURNS TABLE (task text, id uuid, project_id uuid)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH late_stages AS (
        UPDATE stages s SET sent_at = now()
        WHERE (s.state = 'ready' OR (s.state = 'running' AND s.lease_until < now()))
          AND {stage_late}
        RETURNING 'stage.' || s.name AS task, s.run_id AS id, s.project_id
    ), late_batches AS (
        UPDATE stages s SET sent_at = now()
        WHERE s.name = 'rate' AND s.state = 'running' AND s.lease_until = 'infinity'
          AND {stage_late}
          AND EXISTS (SELECT FROM rating_batches b WHERE b.run_id = s.run_id
                      AND (b.state = 'pending' OR (b.state = 'running' AND b.lease_until < now())))
        RETURNING 'rate.batch' AS task, s.run_id AS id, s.project_id
    ), late_imports AS (
        UPDATE imports i SET sent_at = now() FROM jobs j
        WHERE j.id = i.id AND coalesce(i.lease_until, '-infinity') < now()
          AND {import_late}
        RETURNING 'ingest.import' AS task, i.id, i.project_id
    ), late_purges AS (
        SELECT 'ingest.purge_dataset' AS task, d.id, d.project_id
        FROM datasets d WHERE d.deleted_at < now() - patience
    )
    SELECT * FROM late_stages UNION ALL SELECT * FROM late_batches
    UNION ALL SELECT * FROM late_imports UNION ALL SELECT * FROM late_purges
$$
"""

# A pause that waits for a person has no time of its own: only that person's word sends again. Any
# other is due at its time, however short a while ago the last message left.
STAGE_LATE = """coalesce(s.retry_at, '-infinity') <= now()
          AND coalesce(s.sent_at, '-infinity') < greatest(now() - patience, s.retry_at)
          AND NOT EXISTS (SELECT FROM jobs j WHERE j.id = s.run_id
                          AND j.state = 'paused' AND j.retry_at IS NULL)"""
IMPORT_LATE = """(j.state IN ('queued', 'running', 'cancelling')
               OR (j.state = 'paused' AND j.retry_at <= now()))
          AND i.sent_at < greatest(now() - patience, j.retry_at)"""

STAGE_LATE_BEFORE = "coalesce(s.sent_at, '-infinity') < now() - patience"
IMPORT_LATE_BEFORE = """j.state IN ('queued', 'running', 'cancelling')
          AND i.sent_at < now() - patience"""


def upgrade() -> None:
    """Give jobs and stages a pause and the time of their next try."""
    for table in TABLES:
        op.add_column(table, sa.Column("pause", postgresql.JSONB(), nullable=True))
        op.add_column(table, sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(SWEEP.format(stage_late=STAGE_LATE, import_late=IMPORT_LATE))


def downgrade() -> None:
    """Take them away; what was paused goes on."""
    op.execute(SWEEP.format(stage_late=STAGE_LATE_BEFORE, import_late=IMPORT_LATE_BEFORE))
    op.execute("UPDATE jobs SET state = 'running' WHERE state = 'paused'")
    for table in TABLES:
        op.drop_column(table, "retry_at")
        op.drop_column(table, "pause")
