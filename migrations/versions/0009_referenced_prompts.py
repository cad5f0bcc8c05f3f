"""The second version of both prompts: the same question, and its reference in the answer."""

import sqlalchemy as sa
from alembic import op

from services.shared.llm.prompts.defaults import DEFAULT_TEMPLATES

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

VERSION = 2

# What this migration has always seeded; words that were changed in place no longer fit.
FROZEN = {
    "rate-user-view": "c3bcfbcfd5857dbd7501c09095483fb475ff67109467c7198ee29f4dcdf231f3",
    "rate-item-view": "5f1587be72addd30fe57ed8772e0eb11b0e84a751e8f3dce38d0ab9d025f17ad",
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
    """Seed version 2 of both views; ValueError when its words are not those of the day."""
    for template in DEFAULT_TEMPLATES:
        if template.version != VERSION:
            continue
        if template.sha256 != FROZEN[template.name]:
            raise ValueError(f"{template.name} version 2 was changed; add a version instead")
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
    op.execute(PROMPTS.delete().where(PROMPTS.c.version == VERSION))
