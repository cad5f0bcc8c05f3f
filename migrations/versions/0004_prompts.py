"""The first two prompts. A row is immutable: changed words are a new version, a new migration."""

import sqlalchemy as sa
from alembic import op

from services.shared.llm.prompts.defaults import DEFAULT_TEMPLATES

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# What this migration has always seeded; words that were changed in place no longer fit.
FROZEN = {
    "rate-user-view": "174c7a703b209c908392cbfec81f07f445af08f33176565b2b307fdc86ed7794",
    "rate-item-view": "a0ed949f65704c43409c6efc82674378f94238d667af19896618f28c687a1b8c",
}

PROMPTS = sa.table(
    "prompts",
    sa.column("name"),
    sa.column("version"),
    sa.column("schema_version"),
    sa.column("system"),
    sa.column("template"),
    sa.column("sha256"),
)


def upgrade() -> None:
    """Seed version 1 of both views; ValueError when its words are not those of the day."""
    for template in DEFAULT_TEMPLATES:
        if template.version != 1:
            continue
        if template.sha256 != FROZEN[template.name]:
            raise ValueError(f"{template.name} version 1 was changed; add a version instead")
        op.execute(
            PROMPTS.insert().values(
                name=template.name,
                version=template.version,
                schema_version=template.schema_version,
                system=template.system,
                template=template.user,
                sha256=template.sha256,
            )
        )


def downgrade() -> None:
    """Take the seeded versions away."""
    op.execute(PROMPTS.delete().where(PROMPTS.c.version == 1))
