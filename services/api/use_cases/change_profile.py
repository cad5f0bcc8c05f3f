"""Change or delete one user or item."""

from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.orm import Session

from services.api.use_cases.put_profiles import check_text
from services.shared.db.repos import audit, datasets, profiles
from services.shared.db.repos.audit import Action, Actor, Deed
from services.shared.db.tables import Item, User

P = TypeVar("P", User, Item)
UNCHANGED: Any = object()


def change_profile(
    session: Session,
    table: type[P],
    *,
    dataset_id: UUID,
    ident: str,
    text: str | None,
    attributes: dict[str, Any],
) -> P:
    """Return the profile after the change; `text` may be UNCHANGED, a null attribute goes away."""
    dataset = datasets.lock(session, dataset_id)
    profile = profiles.get(session, table, dataset_id, ident)
    if text is not UNCHANGED:
        check_text(text, pointer="/text")
        profile.text = text or None
        profile.text_sha256 = profiles.text_sha256(text)
    merged = {**profile.attributes, **attributes}
    kept = {name: value for name, value in merged.items() if value is not None}
    if kept != profile.attributes:
        profile.attributes = kept
    if session.is_modified(profile):
        profile.updated_at = func.now()
        dataset.version += 1
    session.flush()
    session.refresh(profile)
    return profile


def delete_profile(
    session: Session, table: type[P], *, dataset_id: UUID, ident: str, actor: Actor
) -> None:
    """Delete the profile; what the log says of its id stays."""
    dataset = datasets.lock(session, dataset_id)
    profiles.remove(session, table, dataset_id, ident)
    dataset.version += 1
    action: Action = "user.delete" if table is User else "item.delete"
    deed = Deed(action=action, dataset_id=dataset_id, subject={"id": ident})
    audit.add(session, actor, deed, project_id=dataset.project_id)
    session.flush()
