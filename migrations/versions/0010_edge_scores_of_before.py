"""Runs of before `edge_scores` say what they did: they scored edges by leaving each one out.

A row keeps every field of its spec, so one without that field is older than it, and read today it
would mean another choice. Its hash stays what it was: that of the spec as it was asked.
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

SAY = """
UPDATE runs SET spec = jsonb_set(spec, '{params,edge_scores}', '"leave_one_out"')
WHERE jsonb_typeof(spec -> 'params') = 'object' AND NOT (spec -> 'params') ? 'edge_scores'
"""
FORGET = "UPDATE runs SET spec = spec #- '{params,edge_scores}' WHERE spec ? 'params'"


def upgrade() -> None:
    """Write the choice of those days where none is kept, whatever the preset."""
    op.execute(SAY)


def downgrade() -> None:
    """Take the field away: the release before refuses a spec that holds it."""
    op.execute(FORGET)
