"""Prompt versions: immutable rows, read as templates."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.shared.db.tables import Prompt
from services.shared.errors import NotFoundError
from services.shared.llm.prompts import PROMPT_NAMES, PromptTemplate, View, template_from_row


def templates(session: Session, version: int) -> dict[View, PromptTemplate]:
    """Return both views' templates of this version; NotFoundError when one is missing."""
    names = PROMPT_NAMES.values()
    query = select(Prompt).where(Prompt.version == version, Prompt.name.in_(names))
    found = [
        template_from_row(
            name=row.name,
            version=row.version,
            schema_version=row.schema_version,
            system=row.system,
            template=row.template,
        )
        for row in session.scalars(query)
    ]
    by_view = {template.view: template for template in found}
    if len(by_view) != len(PROMPT_NAMES):
        raise NotFoundError("prompt version", version)
    return by_view
