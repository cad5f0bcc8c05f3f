"""A dataset's log before any run: who holds how many pairs, and what a core and a split leave.

One statement reads the log once, into unique positive pairs, and counts from those whatever is
asked. Nothing is written, not even a temporary table: the services' role may make none.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.errors import QueryCanceled
from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    CompoundSelect,
    Double,
    FromClause,
    Select,
    Text,
    case,
    cast,
    func,
    literal,
    select,
    text,
    union_all,
)
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from services.shared import expression
from services.shared.db.repos.extents import conditions
from services.shared.db.repos.profiles import worded
from services.shared.db.tables import Interaction, Item, User
from services.shared.errors import LimitedError, UnavailableError
from services.shared.specs import DatasetSettings

Degrees = Mapping[int, int]
"""How many users (or items) have each number of pairs."""

Found = tuple[str, str, int, int]
"""A counted fact: section, name within it, degree, number."""

Query = Select[str, str, int, int]
"""Of such facts."""

TOP, SHOWN, SAMPLED = 10, 10, 200
"""Heavy users, untouched items and sampled users that a survey names."""

ROUNDS = (3, 12, 48)
"""Of leaving out, tried one after another until the core no longer shrinks."""

READ_BY_PAIR = frozenset({"temporal", "leave_last", "column"})
"""Splits that the pairs themselves tell; a random one hashes ids, as no SQL of ours does."""

PARTS = ("train", "val", "test")


@dataclass(frozen=True, kw_only=True)
class Survey:
    """Counts over the unique pairs that the dataset calls positive; `core_*`: those left."""

    users: Degrees
    items: Degrees
    core_users: Degrees
    core_items: Degrees
    core_settled: bool  # False: more would leave than was counted
    part_users: Mapping[str, Degrees]  # by part, of splits that are read by pair; else empty
    part_items: Mapping[str, int]  # items of each part, as above
    heavy_users: Sequence[tuple[str, int]]  # id and pairs, most first
    sample: Sequence[str]  # users of the core, drawn by a hash of the id
    profiles: Mapping[str, int]  # rows of users and items
    untouched: Mapping[str, int]  # of them those that no positive pair names
    untouched_items: Sequence[str]  # some of them, by id
    bare: Mapping[str, int]  # users and items of the core that have no text
    composable: int  # bare users who like something that has one


def survey(session: Session, dataset_id: UUID, settings: DatasetSettings) -> Survey:
    """Return the counts; run it `within` a time, since the log may have any length."""
    for rounds in ROUNDS:
        rows = session.execute(_statement(dataset_id, settings, rounds)).all()
        found = _read([(section, name, degree, n) for section, name, degree, n in rows])
        if found.core_settled:
            break
    return found


@contextmanager
def within(session: Session, dataset_id: UUID, seconds: float, *, noun: str) -> Iterator[None]:
    """Let one survey of a dataset go on at a time, and none of its queries exceed `seconds`.

    Both hold to the end of the transaction. LimitedError while another is being made,
    UnavailableError, which names `noun`, when a query was stopped.
    """
    lock = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:name, 0))")
    if not session.scalar(lock, {"name": f"survey {dataset_id}"}):
        raise LimitedError(
            "Another preflight report or estimate of this dataset is being made.", retry_after=5
        )
    # behind row-level security the planner expects next to no rows, and would loop over them all
    session.execute(
        text(
            "SELECT set_config('statement_timeout', :milliseconds, true),"
            " set_config('work_mem', '64MB', true), set_config('enable_nestloop', 'off', true)"
        ),
        {"milliseconds": str(round(seconds * 1000))},
    )
    try:
        yield
    except OperationalError as error:
        if not isinstance(error.orig, QueryCanceled):
            raise
        detail = f"{noun} took longer than {seconds:g} seconds, the limit of this server."
        raise UnavailableError(noun, retry_after=60, detail=detail) from None


def _statement(
    dataset_id: UUID, settings: DatasetSettings, rounds: int
) -> CompoundSelect[str, str, int, int]:
    """Return rows of (section, name, degree, number)."""
    pairs = _pairs(dataset_id, settings)
    core, peeled = _core(pairs, settings, rounds)
    by_user, by_item = _counted(pairs, "user_id", "all"), _counted(pairs, "item_id", "all")
    core_user, core_item = (
        (by_user, by_item)
        if core is pairs
        else (_counted(core, "user_id", "core"), _counted(core, "item_id", "core"))
    )
    asked: list[Query] = [
        _degrees("users", by_user),
        _degrees("items", by_item),
        _degrees("core_users", core_user),
        _degrees("core_items", core_item),
        *peeled,
        _named("heavy", by_user, by_user.c.n.desc(), by_user.c.ident, limit=TOP),
        _named("sample", core_user, func.md5(core_user.c.ident), limit=SAMPLED),
        *_profiles(dataset_id, "users", User, by_user, core_user),
        *_profiles(dataset_id, "items", Item, by_item, core_item),
        _examples(dataset_id, by_item),
        _composable(dataset_id, core, core_user),
    ]
    if settings.split.kind in READ_BY_PAIR:
        asked += _parts(core, settings)
    return union_all(*asked)


def _pairs(dataset_id: UUID, settings: DatasetSettings) -> CTE:
    """Return the unique positive pairs, with what the split reads of them."""
    clauses = expression.parse(settings.positive) if settings.positive else ()
    # what trains must never test, and its moment counts: the snapshot orders by both
    rank = case((Interaction.split == "val", 1), (Interaction.split == "test", 2), else_=0)
    moments = [func.min(Interaction.timestamp).filter(rank == number) for number in range(3)]
    best = func.min(rank)
    columns: dict[str, ColumnElement[Any]] = {
        "column": best.label("part"),
        "temporal": case((best == 0, moments[0]), (best == 1, moments[1]), else_=moments[2]).label(
            "moment"
        ),
    }
    columns["leave_last"] = columns["temporal"]
    read = [columns[settings.split.kind]] if settings.split.kind in columns else []
    query = (
        select(Interaction.user_id, Interaction.item_id, *read)
        .where(*conditions(dataset_id, clauses))
        .group_by(Interaction.user_id, Interaction.item_id)
    )
    return _once(query, "pairs")


def _core(pairs: CTE, settings: DatasetSettings, rounds: int) -> tuple[CTE, list[Query]]:
    """Return the pairs left when those of too few leave, and how many users still should."""
    least = settings.min_user_degree, settings.min_item_degree
    if max(least) <= 1:
        return pairs, []
    users = _enough(pairs, "user_id", least[0], None, "users_0")
    items = _enough(pairs, "item_id", least[1], users, "items_0")
    for number in range(1, rounds):
        users = _enough(pairs, "user_id", least[0], items, f"users_{number}")
        items = _enough(pairs, "item_id", least[1], users, f"items_{number}")
    joined = pairs.join(users, users.c.user_id == pairs.c.user_id)
    joined = joined.join(items, items.c.item_id == pairs.c.item_id)
    core = _once(select(pairs).select_from(joined), "core")
    # the items were counted among these very users: only a user may have too few by now
    firm = _enough(core, "user_id", least[0], None, "users_firm")
    return core, [_row("unsettled", "", literal(0), _size(users) - _size(firm))]


def _enough(pairs: CTE, column: str, least: int, others: CTE | None, name: str) -> CTE:
    """Return the ids of one side with `least` pairs or more among the others that are kept."""
    rows: FromClause = pairs
    if others is not None:
        other = next(iter(others.c))
        rows = pairs.join(others, other == pairs.c[other.name])
    ident = pairs.c[column]
    query = select(ident).select_from(rows).group_by(ident).having(func.count() >= least)
    return _once(query, name)


def _counted(pairs: CTE, column: str, name: str) -> CTE:
    ident = pairs.c[column]
    query = select(ident.label("ident"), func.count().label("n")).group_by(ident)
    return _once(query, f"{name}_{column}")


def _parts(core: CTE, settings: DatasetSettings) -> list[Query]:
    """Return, by part, how many users have each number of pairs, and how many items any."""
    parts = _once(select(core.c.user_id, core.c.item_id, _part(core, settings)), "parts")
    by_user = (
        select(parts.c.part, parts.c.user_id, func.count().label("n"))
        .group_by(parts.c.part, parts.c.user_id)
        .subquery()
    )
    users = select(
        literal("part_users", Text),
        cast(by_user.c.part, Text),
        by_user.c.n,
        func.count(),
    ).group_by(by_user.c.part, by_user.c.n)
    items = select(
        literal("part_items", Text),
        cast(parts.c.part, Text),
        literal(0, BigInteger),
        func.count(parts.c.item_id.distinct()),
    ).group_by(parts.c.part)
    return [users, items]


def _part(core: CTE, settings: DatasetSettings) -> ColumnElement[int]:
    """Return 0, 1, 2 for train, val, test, by the rules of recsys.split."""
    if settings.split.kind == "column":
        return core.c.part.label("part")
    if settings.split.kind == "leave_last":
        latest = core.c.moment.desc(), core.c.item_id.desc()
        place = func.row_number().over(partition_by=core.c.user_id, order_by=latest)
        enough = func.count().over(partition_by=core.c.user_id) >= 3
        return case((enough & (place == 1), 2), (enough & (place == 2), 1), else_=0).label("part")
    rule = settings.split
    before = func.rank().over(order_by=core.c.moment) - 1  # pairs of earlier instants
    size = func.count().over()
    # round half to even, as Python does: a double is rounded so, a numeric is not
    held, tested = (
        func.round(cast(share * size, Double())) for share in (rule.val + rule.test, rule.test)
    )
    return case((before >= size - tested, 2), (before >= size - held, 1), else_=0).label("part")


def _profiles(
    dataset_id: UUID, name: str, table: type[User] | type[Item], touched: CTE, core: CTE
) -> list[Query]:
    """Return the rows of profiles, those that no pair names, and who of the core has no text."""
    rows = select(table.id).where(table.dataset_id == dataset_id)
    idle = rows.where(~select(touched.c.ident).where(touched.c.ident == table.id).exists())
    told = (
        select(table.id)
        .where(table.dataset_id == dataset_id, table.id == core.c.ident, worded(table).is_not(None))
        .exists()
    )
    bare = select(core.c.ident).where(~told)
    sizes = {"profiles": rows, "untouched": idle, "bare": bare}
    return [
        _row(section, name, literal(0), _size(query.subquery())) for section, query in sizes.items()
    ]


def _examples(dataset_id: UUID, touched: CTE) -> Query:
    query = (
        select(Item.id)
        .where(Item.dataset_id == dataset_id)
        .where(~select(touched.c.ident).where(touched.c.ident == Item.id).exists())
        .order_by(Item.id)
        .limit(SHOWN)
        .subquery()
    )
    return _row("untouched_item", query.c.id, literal(0), literal(0))


def _composable(dataset_id: UUID, core: CTE, users: CTE) -> Query:
    """Return how many users without a text like an item that has one: theirs is composed of it."""
    own = (
        select(User.id)
        .where(User.dataset_id == dataset_id, User.id == users.c.ident, worded(User).is_not(None))
        .exists()
    )
    liked = (
        select(core.c.user_id)
        .join(Item, (Item.id == core.c.item_id) & (Item.dataset_id == dataset_id))
        .where(core.c.user_id == users.c.ident, worded(Item).is_not(None))
        .exists()
    )
    query = select(users.c.ident).where(~own, liked).subquery()
    return _row("composable", "", literal(0), _size(query))


def _degrees(section: str, counted: CTE) -> Query:
    columns = literal(section, Text), literal("", Text), counted.c.n, func.count()
    return select(*columns).group_by(counted.c.n)


def _named(section: str, counted: CTE, *order: ColumnElement[Any], limit: int) -> Query:
    top = select(counted.c.ident, counted.c.n).order_by(*order).limit(limit).subquery()
    return select(literal(section, Text), cast(top.c.ident, Text), top.c.n, literal(0, BigInteger))


def _row(
    section: str,
    name: str | ColumnElement[str],
    degree: ColumnElement[int],
    number: ColumnElement[int],
) -> Query:
    named = literal(name, Text) if isinstance(name, str) else cast(name, Text)
    return select(literal(section, Text), named, cast(degree, BigInteger), cast(number, BigInteger))


def _size(rows: FromClause) -> ColumnElement[int]:
    return select(func.count()).select_from(rows).scalar_subquery()


def _once(query: Select[Any], name: str) -> CTE:
    """Return the query as a table that is made once, however often it is read."""
    return query.cte(name).prefix_with("MATERIALIZED")


def _read(rows: Sequence[Found]) -> Survey:
    found: dict[str, list[tuple[str, int, int]]] = defaultdict(list)
    for section, name, degree, number in rows:
        found[section].append((name, degree, number))
    spread = {
        section: {degree: number for _, degree, number in found[section]}
        for section in ("users", "items", "core_users", "core_items")
    }
    counts = {
        section: {name: number for name, _, number in found[section]}
        for section in ("profiles", "untouched", "bare", "composable", "unsettled", "part_items")
    }
    parts: dict[str, dict[int, int]] = defaultdict(dict)
    for part, degree, number in found["part_users"]:
        parts[PARTS[int(part)]][degree] = number
    heavy = [(name, degree) for name, degree, _ in found["heavy"]]
    return Survey(
        **spread,
        core_settled=not counts["unsettled"].get("", 0),
        part_users=parts,
        part_items={PARTS[int(part)]: number for part, number in counts["part_items"].items()},
        heavy_users=sorted(heavy, key=lambda one: (-one[1], one[0])),
        sample=sorted(name for name, *_ in found["sample"]),
        profiles=counts["profiles"],
        untouched=counts["untouched"],
        untouched_items=sorted(name for name, *_ in found["untouched_item"]),
        bare=counts["bare"],
        composable=counts["composable"][""],
    )
