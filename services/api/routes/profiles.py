"""Users and items: the same routes for both."""

from collections.abc import Sequence
from enum import Enum

from fastapi import APIRouter

from services.api.deps import LiveDataset, PathId, Reader, Unit, Who, Writer
from services.api.paging import Page, Paged, cut, place
from services.api.schemas.profiles import (
    Items,
    NewItems,
    NewProfile,
    NewUsers,
    ProfileAnswer,
    ProfileChange,
    Upserted,
    Users,
)
from services.api.strict import StrictRoute
from services.api.use_cases.change_profile import UNCHANGED, change_profile, delete_profile
from services.api.use_cases.put_profiles import put_profiles
from services.shared.db.repos import profiles
from services.shared.db.repos.profiles import Profile
from services.shared.db.tables import Item, User

router = APIRouter(prefix="/v1/datasets/{dataset}", route_class=StrictRoute)
USERS: list[str | Enum] = ["users"]
ITEMS: list[str | Enum] = ["items"]


@router.put("/users", tags=USERS)
def put_users(body: NewUsers, _project: Writer, session: Unit, dataset: LiveDataset) -> Upserted:
    """Insert or replace up to 1,000 users, all or none."""
    outcome = put_profiles(session, User, dataset_id=dataset.id, rows=_rows(body.users))
    return Upserted.model_validate(outcome)


@router.get("/users", tags=USERS)
def list_users(_project: Reader, session: Unit, dataset: LiveDataset, page: Paged) -> Users:
    """List users by the bytes of their ids."""
    rows = profiles.page(session, User, dataset.id, size=page.size, after=_after(page))
    users = [ProfileAnswer.model_validate(row) for row in rows[: page.size]]
    return Users(users=users, next_page_token=cut(rows, page, lambda row: (row.id,)))


@router.get("/users/{user_id}", tags=USERS)
def get_user(
    user_id: PathId, _project: Reader, session: Unit, dataset: LiveDataset
) -> ProfileAnswer:
    """Return a user."""
    return ProfileAnswer.model_validate(profiles.get(session, User, dataset.id, user_id))


@router.patch("/users/{user_id}", tags=USERS)
def change_user(
    user_id: PathId, body: ProfileChange, _project: Writer, session: Unit, dataset: LiveDataset
) -> ProfileAnswer:
    """Change a user's text or single attributes."""
    text = body.text if "text" in body.model_fields_set else UNCHANGED
    changed = change_profile(
        session,
        User,
        dataset_id=dataset.id,
        ident=user_id,
        text=text,
        attributes=body.attributes,
    )
    return ProfileAnswer.model_validate(changed)


@router.delete("/users/{user_id}", status_code=204, tags=USERS)
def delete_user(
    user_id: PathId, _project: Writer, who: Who, session: Unit, dataset: LiveDataset
) -> None:
    """Delete a user's profile; the interactions stay."""
    delete_profile(session, User, dataset_id=dataset.id, ident=user_id, actor=who)


@router.put("/items", tags=ITEMS)
def put_items(body: NewItems, _project: Writer, session: Unit, dataset: LiveDataset) -> Upserted:
    """Insert or replace up to 1,000 items, all or none."""
    outcome = put_profiles(session, Item, dataset_id=dataset.id, rows=_rows(body.items))
    return Upserted.model_validate(outcome)


@router.get("/items", tags=ITEMS)
def list_items(_project: Reader, session: Unit, dataset: LiveDataset, page: Paged) -> Items:
    """List items by the bytes of their ids."""
    rows = profiles.page(session, Item, dataset.id, size=page.size, after=_after(page))
    items = [ProfileAnswer.model_validate(row) for row in rows[: page.size]]
    return Items(items=items, next_page_token=cut(rows, page, lambda row: (row.id,)))


@router.get("/items/{item_id}", tags=ITEMS)
def get_item(
    item_id: PathId, _project: Reader, session: Unit, dataset: LiveDataset
) -> ProfileAnswer:
    """Return an item."""
    return ProfileAnswer.model_validate(profiles.get(session, Item, dataset.id, item_id))


@router.patch("/items/{item_id}", tags=ITEMS)
def change_item(
    item_id: PathId, body: ProfileChange, _project: Writer, session: Unit, dataset: LiveDataset
) -> ProfileAnswer:
    """Change an item's text or single attributes."""
    text = body.text if "text" in body.model_fields_set else UNCHANGED
    changed = change_profile(
        session,
        Item,
        dataset_id=dataset.id,
        ident=item_id,
        text=text,
        attributes=body.attributes,
    )
    return ProfileAnswer.model_validate(changed)


@router.delete("/items/{item_id}", status_code=204, tags=ITEMS)
def delete_item(
    item_id: PathId, _project: Writer, who: Who, session: Unit, dataset: LiveDataset
) -> None:
    """Delete an item's profile; the interactions stay."""
    delete_profile(session, Item, dataset_id=dataset.id, ident=item_id, actor=who)


def _rows(given: Sequence[NewProfile]) -> list[Profile]:
    return [
        Profile(row.id, row.text, {**(row.model_extra or {}), **row.attributes}) for row in given
    ]


def _after(page: Page) -> str | None:
    found = place(page, str)
    return None if found is None else str(found[0])
