"""People's words reach the next run: pinned with its snapshot, unpaid for, obeyed by its graph."""

from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import polars as pl
import pytest

from services.api.use_cases.overrule import set_words
from services.recsys.data import Interactions
from services.shared.artifacts import ArtifactStore
from services.shared.db.repos import datasets, overrides, stages
from services.shared.db.repos.audit import Actor
from services.shared.db.repos.overrides import Word
from services.shared.db.session import unit_of_work
from services.shared.db.tables import Candidate, RunRating, Verdict
from services.shared.settings import settings
from services.shared.stages import StageName
from services.trainer.perform import perform
from services.trainer.pipeline.evaluate import called_noise
from services.trainer.pipeline.refine import HARD, REFINED, VERDICTS
from services.trainer.snapshot import files
from services.trainer.snapshot.files import Snapshot
from tests.trainer.shop import Shop

pytestmark = pytest.mark.stack
Pair = tuple[str, str]
ACTOR = Actor(kind="key", key_name="desk", key_prefix="abc")


@dataclass(frozen=True)
class Refined:
    """A run up to its refined graph."""

    run_id: UUID
    snapshot: Snapshot
    verdicts: dict[Pair, Verdict]
    candidates: set[Pair]
    figures: dict[str, dict[str, object]]
    graph: dict[Pair, float]
    hard: set[Pair]
    files: pl.DataFrame

    @property
    def train(self) -> set[Pair]:
        return _pairs(self.snapshot, self.snapshot.split.train)

    @property
    def dropped(self) -> set[Pair]:
        return {pair for pair, row in self.verdicts.items() if row.action == "drop"}


def _say(shop: Shop, words: dict[Pair, str | None]) -> None:
    rows = [Word(user_id=u, item_id=i, verdict=word) for (u, i), word in words.items()]
    with unit_of_work(shop.project_id) as session:
        set_words(session, shop.dataset_id, list(enumerate(rows)), actor=ACTOR)


def _begin(shop: Shop, **params: object) -> UUID:
    run_id = shop.start_run(params)
    perform(shop.claim(run_id, StageName.SNAPSHOT))
    return run_id


def _refine(shop: Shop, run_id: UUID) -> Refined:
    shop.embed(run_id)
    for name in (StageName.PRETRAIN, StageName.ALIGN, StageName.CANDIDATES):
        perform(shop.claim(run_id, name))
    shop.rate(run_id)
    perform(shop.claim(run_id, StageName.REFINE))
    with unit_of_work(shop.project_id) as session:
        rows = session.query(Verdict).filter_by(run_id=run_id).all()
        asked = session.query(Candidate).filter_by(run_id=run_id).all()
        figures = {s.name: s.figures for s in stages.of_run(session, run_id)}
    folder = _folder(shop, run_id, StageName.REFINE)
    snapshot = files.read(_folder(shop, run_id, StageName.SNAPSHOT))
    graph = pl.read_parquet(folder / REFINED)
    edges = _named(snapshot, graph)
    return Refined(
        run_id,
        snapshot,
        {(row.user_id, row.item_id): row for row in rows},
        {(row.user_id, row.item_id) for row in asked},
        figures,
        dict(zip(edges, graph["weight"].to_list(), strict=True)),
        set(_named(snapshot, pl.read_parquet(folder / HARD))),
        pl.read_parquet(folder / VERDICTS),
    )


def _folder(shop: Shop, run_id: UUID, stage: StageName) -> Path:
    pointer = shop.artifact(run_id, stage)
    assert pointer is not None
    return ArtifactStore(settings().require("artifacts_url")).open(pointer["path"])


def _named(snapshot: Snapshot, rows: pl.DataFrame) -> list[Pair]:
    users, items = snapshot.user_ids, snapshot.item_ids
    return [(users[u], items[i]) for u, i in rows.select("user", "item").iter_rows()]


def _pairs(snapshot: Snapshot, graph: Interactions) -> set[Pair]:
    rows = pl.DataFrame({"user": graph.users, "item": graph.items})
    return set(_named(snapshot, rows))


def test_a_persons_words_change_the_next_runs_graph_and_nothing_is_paid_for_them(
    shop: Shop,
) -> None:
    before = _refine(shop, _begin(shop))
    split = before.snapshot.split
    spared, also_spared, unclear = sorted(before.dropped)[:3]
    disliked = min(before.train - shop.fakes - before.candidates)  # nobody suspected it
    missed = min(p for p in before.candidates if p not in before.train)
    never = max(p for p in before.candidates if p not in before.train)
    judging = min(_pairs(before.snapshot, split.val))
    wrong_in_val = max(_pairs(before.snapshot, split.val))
    stranger = ("nobody", "i000")
    said: dict[Pair, str | None] = {
        spared: "hard",
        also_spared: "clean",
        unclear: "unsure",
        disliked: "noise",
        missed: "hard",
        never: "clean",
        judging: "hard",
        wrong_in_val: "noise",
        stranger: "noise",
    }
    _say(shop, said)
    after = _refine(shop, _begin(shop))
    told = {pair: after.verdicts[pair] for pair in said}
    assert {pair: row.verdict for pair, row in told.items()} == said
    assert {(row.decided_by, row.score) for row in told.values()} == {("person", None)}
    assert [told[pair].action for pair in said] == [
        "keep", "keep", "keep", "drop", "add", "none", "none", "none", "none"
    ]  # fmt: skip
    assert (told[judging].note, told[stranger].note) == ("held_out", "not_in_graph")
    assert after.graph.keys() >= {spared, also_spared, unclear, missed}
    assert not after.graph.keys() & {disliked, never, judging}
    assert after.graph[missed] == 1.0
    assert spared in after.hard
    assert not after.hard & {also_spared, judging}
    # the raw graph is the log's, whatever is said of it
    assert after.train == before.train
    _check_nothing_was_asked(shop, after, set(said))
    assert len(after.candidates) == 150  # the budget went to others
    assert after.figures["snapshot"]["dataset_version"] == 1, "saying it was a write"
    people = after.figures["refine"]["people"]
    assert people == {"keep": 3, "drop": 1, "add": 1, "none": 3, "not_in_graph": 1}
    without = called_noise(split.val, after.files)
    assert wrong_in_val in _pairs(after.snapshot, without)
    assert judging not in _pairs(after.snapshot, without)


def _check_nothing_was_asked(shop: Shop, found: Refined, said: set[Pair]) -> None:
    assert not found.candidates & said
    with unit_of_work(shop.project_id) as session:
        rated = session.query(RunRating).filter_by(run_id=found.run_id).all()
    assert not {(row.user_id, row.item_id) for row in rated} & said


def test_a_run_keeps_the_words_of_its_snapshot_and_a_withdrawn_word_is_gone_in_the_next(
    shop: Shop,
) -> None:
    pair = min(shop.fakes)
    _say(shop, {pair: "hard"})
    begun = _begin(shop)
    _say(shop, {pair: None})
    assert _refine(shop, begun).verdicts[pair].decided_by == "person"
    later = _refine(shop, _begin(shop))
    assert pair not in later.verdicts or later.verdicts[pair].decided_by == "rule"
    assert later.snapshot.words.is_empty()


def test_the_run_after_an_undo_drops_none_of_what_was_taken_back_until_a_redo(shop: Shop) -> None:
    first = _refine(shop, _begin(shop))
    assert first.dropped
    with unit_of_work(shop.project_id) as session:
        dataset = datasets.lock(session, shop.dataset_id)
        overrides.protect(session, dataset, first.run_id, ACTOR, note="undo", soft=False)
    second = _refine(shop, _begin(shop))
    assert {second.verdicts[pair].verdict for pair in first.dropped} == {"unsure"}
    assert not first.dropped & (second.dropped | second.candidates)
    assert first.dropped <= second.graph.keys()
    with unit_of_work(shop.project_id) as session:
        dataset = datasets.lock(session, shop.dataset_id)
        overrides.release(session, dataset, first.run_id, ACTOR, note="redo")
    assert _refine(shop, _begin(shop)).dropped == first.dropped


@pytest.mark.parametrize("rule", ["conservative", "paper", "soft"])
def test_a_run_drops_no_more_than_its_share_and_says_what_it_wanted(shop: Shop, rule: str) -> None:
    found = _refine(shop, _begin(shop, rule=rule, max_drop_share=0.01))
    drops = found.figures["refine"]["drops"]
    assert isinstance(drops, dict)
    at_most = len(found.train) // 100
    wanted = 0 if rule == "soft" else len(found.dropped) + _capped(found)
    assert drops == {"wanted": wanted, "done": len(found.dropped), "at_most": at_most}
    assert len(found.train - found.graph.keys()) == len(found.dropped) <= at_most
    if rule != "soft":
        assert len(found.dropped) == at_most
        assert _capped(found) > 0


def _capped(found: Refined) -> int:
    return sum(row.note in {"share_cap", "last_edge"} for row in found.verdicts.values())


def test_a_persons_drops_are_outside_the_share(shop: Shop) -> None:
    said = sorted(shop.fakes)
    _say(shop, dict.fromkeys(said, "noise"))
    found = _refine(shop, _begin(shop, max_drop_share=0.0))
    assert found.dropped == set(said) & found.train != set()
    assert found.figures["refine"]["drops"] == {"wanted": 0, "done": 0, "at_most": 0}
