"""What people decide: their words on pairs, what is served since when, and who did what."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# An empty setting means no project; without nullif it would be an error in every query.
CONTEXT = "nullif(current_setting('winnow.project', true), '')::uuid"

POLICE = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY project ON {table} TO winnow_app
    USING (project_id = {context}) WITH CHECK (project_id = {context});
CREATE POLICY migrations ON {table} TO winnow_owner USING (true) WITH CHECK (true);
GRANT {rights} ON {table} TO winnow_app;
"""

# Without UPDATE and DELETE what is written stays as it was written, by whichever service.
TABLES = {
    "overrides": "SELECT, INSERT, UPDATE, DELETE",
    "override_changes": "SELECT, INSERT",
    "servings": "SELECT, INSERT",
    "audit_log": "SELECT, INSERT",
}

# With the key's name: who acts under it is written down beside what was done. A function of its
# own, since processes of before hold plans of `authenticate`, which fail once its columns change.
IDENTIFY = """
CREATE FUNCTION identify(key_prefix text)
RETURNS TABLE (id uuid, project_id uuid, role text, secret_sha256 bytea,
               expires_at timestamptz, revoked_at timestamptz, name text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT k.id, k.project_id, k.role, k.secret_sha256, k.expires_at, k.revoked_at, k.name
    FROM api_keys k WHERE k.prefix = key_prefix
$$;
REVOKE ALL ON FUNCTION identify(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION identify(text) TO winnow_app;
"""

# Which model served before is not known for datasets that are older than this table.
SERVED_NOW = """
INSERT INTO servings (project_id, dataset_id, model_id, cause)
SELECT project_id, id, current_model_id, 'first' FROM datasets
WHERE current_model_id IS NOT NULL
"""


def upgrade() -> None:
    """Make the tables and let a key be known by its name."""
    _make_overrides()
    _make_servings()
    _make_audit_log()
    for table, rights in TABLES.items():
        op.execute(POLICE.format(table=table, context=CONTEXT, rights=rights))
    op.alter_column("verdicts", "score", nullable=True)  # of a pair that nobody suspected
    op.add_column("datasets", sa.Column("current_graph", sa.String(length=64), nullable=True))
    op.execute(SERVED_NOW)
    op.execute(IDENTIFY)


def downgrade() -> None:
    """Forget people's words and deeds."""
    op.execute("DROP FUNCTION identify(text)")
    op.drop_column("datasets", "current_graph")
    op.execute("DELETE FROM verdicts WHERE score IS NULL")
    op.alter_column("verdicts", "score", nullable=False)
    for table in TABLES:
        op.drop_table(table)


def _made() -> "sa.Column[object]":
    return sa.Column(
        "created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
    )


def _pair_of_a_dataset(table: str) -> "list[sa.Column[object] | sa.ForeignKeyConstraint]":
    """Return the columns that both tables of words share."""
    return [
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("dataset_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Text(collation="C"), nullable=False),
        sa.Column("item_id", sa.Text(collation="C"), nullable=False),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("author", sa.String(), nullable=True),
        sa.Column("key_id", sa.Uuid(), nullable=True),
        sa.Column("key_name", sa.String(), nullable=True),
        sa.Column("key_prefix", sa.String(), nullable=True),
        sa.Column("undo_of", sa.Uuid(), nullable=True),
        sa.Column("dataset_version", sa.BigInteger(), nullable=False),
        _made(),
        sa.ForeignKeyConstraint(
            ["project_id", "dataset_id"],
            ["datasets.project_id", "datasets.id"],
            name=op.f(f"fk_{table}_project_id_dataset_id"),
            ondelete="CASCADE",
        ),
    ]


def _make_overrides() -> None:
    words = "verdict IN ('hard', 'noise', 'clean', 'unsure')"
    op.create_table(
        "overrides",
        *_pair_of_a_dataset("overrides"),
        sa.Column("verdict", sa.String(length=64), nullable=False),
        sa.CheckConstraint(words, name=op.f("ck_overrides_verdict")),
        sa.PrimaryKeyConstraint("dataset_id", "user_id", "item_id", name=op.f("pk_overrides")),
    )
    op.create_table(
        "override_changes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        *_pair_of_a_dataset("override_changes"),
        sa.Column("verdict", sa.String(length=64), nullable=True),
        sa.CheckConstraint(words, name=op.f("ck_override_changes_verdict")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_override_changes")),
    )
    op.create_index(
        op.f("ix_override_changes_dataset_id_user_id_item_id_id"),
        "override_changes",
        ["dataset_id", "user_id", "item_id", "id"],
        unique=False,
    )


def _make_servings() -> None:
    op.create_table(
        "servings",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("dataset_id", sa.Uuid(), nullable=False),
        sa.Column("model_id", sa.Uuid(), nullable=False),
        sa.Column("graph", sa.String(length=64), nullable=True),
        sa.Column("cause", sa.String(length=64), nullable=False),
        sa.Column("previous_id", sa.BigInteger(), nullable=True),
        _made(),
        sa.CheckConstraint("graph IN ('raw', 'denoised')", name=op.f("ck_servings_graph")),
        sa.CheckConstraint(
            "cause IN ('first', 'promote', 'rollback', 'undo', 'redo')",
            name=op.f("ck_servings_cause"),
        ),
        sa.ForeignKeyConstraint(
            ["project_id", "dataset_id"],
            ["datasets.project_id", "datasets.id"],
            name=op.f("fk_servings_project_id_dataset_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_servings")),
    )
    op.create_index(
        op.f("ix_servings_dataset_id_id"), "servings", ["dataset_id", "id"], unique=False
    )


def _make_audit_log() -> None:
    op.create_table(
        "audit_log",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=True),
        sa.Column("key_name", sa.String(), nullable=True),
        sa.Column("key_prefix", sa.String(), nullable=True),
        sa.Column("author", sa.String(), nullable=True),
        sa.Column("dataset_id", sa.Uuid(), nullable=True),
        sa.Column("subject", postgresql.JSONB(), nullable=False),
        sa.Column("request_id", sa.String(), nullable=True),
        _made(),
        sa.CheckConstraint(
            "actor IN ('key', 'operator', 'system')", name=op.f("ck_audit_log_actor")
        ),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["projects.id"],
            name=op.f("fk_audit_log_project_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_index(
        op.f("ix_audit_log_project_id_created_at_id"),
        "audit_log",
        ["project_id", "created_at", "id"],
        unique=False,
    )
