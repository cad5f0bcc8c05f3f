"""Say what a run would trip over: a code, a sentence with the numbers, and what would help."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from services.api.use_cases.foresee import size, total
from services.api.use_cases.gather_facts import Facts
from services.api.use_cases.read_texts import Side
from services.shared.db.repos.logs import Events, Repeats
from services.shared.db.repos.surveys import Survey
from services.shared.llm.budget import LOCAL_PREFIX
from services.shared.settings import settings

HEAVY = 0.2
"""Share of all pairs from which the heaviest hundredth of the users is worth a word."""

FEW = 0.5
"""Share without a text from which that is worth a word."""

LOST = 0.2
"""Share of the pairs that a core takes, from which on it is worth a word."""

SPARSE = 3
"""Mean pairs of a user below which there is next to nothing to learn from."""


@dataclass(frozen=True, kw_only=True)
class Warned:
    """Something that does not stop a run but may spoil it, or that will stop it."""

    code: str
    detail: str
    help: str


def warn_before(facts: Facts) -> list[Warned]:
    """Return the warnings, what stops a run first."""
    return [
        *_stoppers(facts),
        *_of_log(facts.events, facts.survey, facts.repeats, facts.heavy_share),
        *_of_settings(facts),
        *_of_texts(facts.survey, facts.texts),
    ]


def _stoppers(facts: Facts) -> Iterator[Warned]:
    if not facts.events.events:
        yield Warned(
            code="NO_EVENTS",
            detail="The dataset has no interactions.",
            help="Add some by POST …/interactions or an import.",
        )
    elif not facts.events.positive:
        yield Warned(
            code="NO_POSITIVES",
            detail=f"None of {facts.events.events:,} events is positive where "
            f"{facts.settings.positive}.",
            help="Compare the setting `positive` with the types and values of this report.",
        )
    for part, code in (("val", "NO_VAL_USERS"), ("test", "NO_TEST_USERS")):
        if facts.events.positive and facts.foreseen.parts[part].users.mean < 1:
            yield Warned(
                code=code,
                detail=f"No user would have an interaction in the part {part}.",
                help="Change the dataset's `split`, or upload a column `split` with that word.",
            )
    if facts.missing:
        yield Warned(
            code="NOT_ENOUGH",
            detail="A run cannot succeed yet: " + " ".join(one.detail for one in facts.missing),
            help="Add interactions, lower the least degrees, or change the split.",
        )


def _of_log(
    events: Events, found: Survey, repeats: Repeats, heavy_share: float | None
) -> Iterator[Warned]:
    if events.future:
        yield Warned(
            code="FUTURE_TIMESTAMP",
            detail=f"{events.future:,} events lie in the future, the last at {events.last}.",
            help="Check the unit (seconds or milliseconds) and the dataset's `timezone`; "
            "a split by time would test on them.",
        )
    if repeats.event:
        yield Warned(
            code="DUPLICATE_EVENTS",
            detail=f"{repeats.event:,} events repeat another one in full.",
            help="Nothing need be done: a run counts a pair once.",
        )
    if heavy_share is not None and heavy_share >= HEAVY and found.heavy_users[0][1] > 1:
        yield Warned(
            code="HEAVY_USERS",
            detail=f"The heaviest hundredth of the users holds {heavy_share:.0%} of all pairs.",
            help="Look at heavy_users for robots and shared accounts.",
        )
    pairs, users = total(found.users), size(found.users)
    if users and pairs / users < SPARSE:
        yield Warned(
            code="SPARSE",
            detail=f"A user has {pairs / users:.1f} positive pairs on average.",
            help="Raise min_user_degree, or count more types of events as positive.",
        )


def _of_settings(facts: Facts) -> Iterator[Warned]:
    found = facts.survey
    pairs, left = total(found.users), total(found.core_users)
    if not found.core_settled:
        yield Warned(
            code="CORE_UNSETTLED",
            detail="More users and items would leave by the least degrees than was counted here.",
            help="Lower min_user_degree or min_item_degree; the snapshot counts to the end.",
        )
    if pairs and 1 - left / pairs >= LOST:
        yield Warned(
            code="CORE_LOSES",
            detail=f"The least degrees leave {left:,} of {pairs:,} pairs.",
            help="Lower min_user_degree or min_item_degree.",
        )


def _of_texts(found: Survey, texts: Mapping[str, Side]) -> Iterator[Warned]:
    users, items = size(found.core_users), size(found.core_items)
    if items and found.bare["items"] == items:
        yield Warned(
            code="NO_TEXTS",
            detail="No item of a pair has a text: the language model would be asked about nothing.",
            help="Upload items with a `text`, or at least a `title`.",
        )
    elif items and found.bare["items"] >= FEW * items:
        yield Warned(
            code="FEW_TEXTS",
            detail=f"{found.bare['items']:,} of {items:,} items have no text.",
            help="Upload items with a `text`, or at least a `title`.",
        )
    if users and found.bare["users"] - found.composable >= FEW * users:
        yield Warned(
            code="USERS_WITHOUT_TEXTS",
            detail=f"{found.bare['users'] - found.composable:,} of {users:,} users have no text "
            "and like nothing that has one.",
            help="Upload users with a `text`, or texts of the items that they like.",
        )
    for name, side in texts.items():
        yield from _of_side(name, side)


def _of_side(name: str, side: Side) -> Iterator[Warned]:
    if side.long:
        yield Warned(
            code="LONG_TEXTS",
            detail=f"{side.long:,} texts of {name} are over {side.prompt_limit:,} characters "
            "and will be cut there in a prompt.",
            help="Put what matters first, or raise WINNOW_LIMITS__PROMPT_TEXT_CHARS.",
        )
    if side.non_latin and settings().llm.model.startswith(LOCAL_PREFIX):
        yield Warned(
            code="NON_LATIN_TEXTS",
            detail=f"{side.non_latin:.1%} of the texts of {name} are in another script than Latin, "
            "which the local rater does not read: it never calls such a pair Low.",
            help="Set WINNOW_LLM__* and WINNOW_EMBEDDER__* to models that read these languages.",
        )
    elif side.non_latin and settings().embedder.model.startswith(LOCAL_PREFIX):
        yield Warned(
            code="NON_LATIN_TEXTS",
            detail=f"{side.non_latin:.1%} of the texts of {name} are in another script than Latin, "
            "which the local encoder does not read: their vectors say little.",
            help="Set WINNOW_EMBEDDER__* to a model that reads these languages.",
        )
