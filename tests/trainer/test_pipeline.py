"""A run goes through all stages of the trainer, with vectors and ratings from the test."""

import json
from dataclasses import replace
from uuid import UUID

import numpy as np
import polars as pl
import pytest
from sqlalchemy import text

from services.recsys.data import Embeddings
from services.recsys.suspicion import text_cosine
from services.shared.artifacts import ArtifactStore
from services.shared.db.repos import jobs, stages
from services.shared.db.session import unit_of_work
from services.shared.db.tables import AuditEntry, Candidate, Dataset, Model, Serving, Verdict
from services.shared.errors import LeaseLostError
from services.shared.settings import settings
from services.shared.stages import WAITS_FOR, StageName
from services.shared.toplists import TopLists
from services.trainer import texts, training, vectors
from services.trainer.perform import perform
from services.trainer.snapshot import files
from tests.trainer.shop import N_ITEMS, N_USERS, Shop

pytestmark = pytest.mark.stack


PUBLISHED = {
    *(f"{graph}.safetensors" for graph in ("raw", "denoised", "cold-raw", "cold-denoised")),
    *("lists-raw.bin", "lists-denoised.bin"),
    *("users.parquet", "items.parquet", "texts.safetensors"),
}
"""A model's files beside its card."""


def _run_through(shop: Shop, run_id: UUID) -> None:
    for name in WAITS_FOR:
        if name is StageName.EMBED:
            shop.embed(run_id)
        elif name is StageName.RATE:
            shop.rate(run_id)
        else:
            perform(shop.claim(run_id, name))


def test_a_run_ends_with_a_model_that_is_served(shop: Shop) -> None:
    run_id = shop.start_run()
    _run_through(shop, run_id)
    with unit_of_work(shop.project_id) as session:
        job = jobs.get(session, run_id)
        model = session.query(Model).filter_by(run_id=run_id).one()
        dataset = session.get_one(Dataset, shop.dataset_id)
        candidates = session.query(Candidate).filter_by(run_id=run_id).all()
        verdicts = {
            (v.user_id, v.item_id): v for v in session.query(Verdict).filter_by(run_id=run_id)
        }
        figures = {s.name: s.figures for s in stages.of_run(session, run_id)}
        peaks = [s.peak_memory_bytes for s in stages.of_run(session, run_id) if s.name != "embed"]
    assert (job.state, job.error) == ("succeeded", None)
    assert job.result is not None
    assert job.result["model_id"] == str(model.id)
    assert dataset.current_model_id == model.id
    _check_written_down(shop, model)
    _check_candidates(candidates)
    _check_verdicts(shop, candidates, verdicts, figures)
    _check_model(shop, run_id, model)
    assert figures["snapshot"]["users"] == N_USERS
    assert all(peak is None or peak > 1e7 for peak in peaks)


@pytest.mark.parametrize(("backbone", "width"), [("ngcf", 8 * 3), ("mf", 8)])
def test_a_run_ends_with_a_model_whatever_its_backbone(
    shop: Shop, backbone: str, width: int
) -> None:
    run_id = shop.start_run({"epochs": 1}, backbone=backbone)
    _run_through(shop, run_id)
    with unit_of_work(shop.project_id) as session:
        assert jobs.get(session, run_id).state == "succeeded"
    pointer = shop.artifact(run_id, StageName.TRAIN)
    assert pointer is not None
    folder = ArtifactStore(settings().require("artifacts_url")).open(pointer["path"])
    assert vectors.load(folder / training.MODEL).users.shape == (N_USERS, width)


def _check_written_down(shop: Shop, model: Model) -> None:
    """Nobody promoted the first model: the log says that it went by itself."""
    with unit_of_work(shop.project_id) as session:
        (entry,) = session.query(AuditEntry).all()
        (serving,) = session.query(Serving).all()
    assert (entry.action, entry.actor, entry.key_id) == ("model.promote", "system", None)
    assert entry.subject == {
        "model_id": str(model.id),
        "graph": None,
        "run_id": str(model.run_id),
        "before": None,
    }
    assert (serving.model_id, serving.cause, serving.previous_id) == (model.id, "first", None)


def _check_candidates(candidates: list[Candidate]) -> None:
    assert len(candidates) == 150  # the budget: 60 users would give 300
    edges = [c for c in candidates if c.edge]
    assert len(edges) == 120  # 2 of every user's, which .8 of the budget just holds
    for candidate in candidates:
        assert len(candidate.history) == 3
        assert candidate.item_id not in candidate.history


def _check_verdicts(
    shop: Shop,
    candidates: list[Candidate],
    verdicts: dict[tuple[str, str], Verdict],
    figures: dict[str, dict[str, object]],
) -> None:
    assert set(verdicts) == {(c.user_id, c.item_id) for c in candidates}
    suspected = {key for key, v in verdicts.items() if v.edge and key in shop.fakes}
    assert len(suspected) >= 8  # of 20 planted, some of them kept for judging
    assert {verdicts[key].verdict for key in suspected} == {"noise"}
    assert {v.decided_by for v in verdicts.values()} == {"rule"}
    dropped = {key for key, v in verdicts.items() if v.action == "drop"}
    assert dropped <= suspected
    refine = figures["refine"]
    assert refine["edges_before"] - refine["edges_after"] == len(dropped)  # type: ignore[operator]
    assert refine["rated"] == 150
    assert {v.verdict for v in verdicts.values() if v.edge} == {"hard", "noise"}
    assert {v.verdict for v in verdicts.values() if not v.edge} == {"unsure"}


def _check_model(shop: Shop, run_id: UUID, model: Model) -> None:
    store = ArtifactStore(settings().require("artifacts_url"))
    folder = store.open(model.artifact_path, sha256=model.manifest_sha256)
    assert model.artifact_path.startswith(f"models/{run_id}/")
    card = json.loads((folder / "card.json").read_text())
    assert card == model.card
    assert set(card["metrics"]) == {"raw", "denoised", "popularity"}
    assert set(card["metrics"]["raw"]["test"]) == {
        f"{kind}@{k}" for kind in ("recall", "ndcg") for k in (5, 10, 20)
    }
    assert card["ratings"] == {"rated": 300, "cached": 0}
    assert set(card["cold"]["raw"]) == {"history", "user_text", "item_text"}
    assert card["cold"]["denoised"]["user_text"]["held_out_cosine"] > 0.5
    # a taste is half of the items, of which a user has taken half: chance finds 10 of 28 in 20
    assert card["metrics"]["denoised"]["test"]["recall@10"] > 0.5
    pointer = shop.artifact(run_id, StageName.SNAPSHOT)
    assert pointer is not None
    assert card["snapshot_sha256"] == pointer["sha256"]
    snapshot = files.read(store.open(pointer["path"]))
    for graph in ("raw", "denoised"):
        _check_lists(folder / f"lists-{graph}.bin", snapshot)


def _check_lists(path: object, snapshot: files.Snapshot) -> None:
    seen = {user: set[str]() for user in snapshot.user_ids}
    pairs = zip(snapshot.edges.users.tolist(), snapshot.edges.items.tolist(), strict=True)
    for u, i in pairs:
        seen[snapshot.user_ids[u]].add(snapshot.item_ids[i])
    with TopLists(path) as lists:  # type: ignore[arg-type]
        assert list(lists.user_ids()) == snapshot.user_ids
        for user, taken in seen.items():
            told = json.loads(b"[" + (lists.fragment(user, 10, explain=True) or b"") + b"]")
            assert len(told) == 10
            assert not taken & {entry["item_id"] for entry in told}
            for entry in told:
                (reason,) = entry["reasons"]
                assert reason["code"] == "BECAUSE_YOU_LIKED"
                assert reason["item_id"] in taken
        popular = json.loads(b"[" + lists.popular(10) + b"]")
    counts = snapshot.edges.item_degrees()
    assert popular[0]["score"] == pytest.approx(counts.max() / N_USERS)


def test_a_second_run_of_one_seed_has_the_same_bytes_and_waits_for_promotion(shop: Shop) -> None:
    first, second = shop.start_run(), shop.start_run()
    for run_id in (first, second):
        _run_through(shop, run_id)
    with unit_of_work(shop.project_id) as session:
        models = {model.run_id: model for model in session.query(Model)}
        dataset = session.get_one(Dataset, shop.dataset_id)
        assert dataset.current_model_id == models[first].id
        job = jobs.get(session, second)
        assert job.result is not None
        assert job.result["served"] is False
    assert set(_published(shop, first)) == PUBLISHED
    assert _published(shop, first) == _published(shop, second)


def _published(shop: Shop, run_id: UUID) -> dict[str, str]:
    """Return the hashes of vectors and lists."""
    pointer = shop.artifact(run_id, StageName.PUBLISH)
    assert pointer is not None
    manifest = ArtifactStore(settings().require("artifacts_url")).read_manifest(pointer["path"])
    return {name: e.sha256 for name, e in manifest.files.items() if not name.endswith(".json")}


def test_who_lost_the_lease_leaves_neither_rows_nor_files(shop: Shop) -> None:
    run_id = shop.start_run()
    for name in (StageName.SNAPSHOT, StageName.PRETRAIN):
        perform(shop.claim(run_id, name))
    shop.embed(run_id)
    perform(shop.claim(run_id, StageName.ALIGN))
    lease = shop.claim(run_id, StageName.CANDIDATES)
    for late in (lease, replace(lease, name=StageName.PRETRAIN)):
        before = shop.artifact(run_id, late.name)
        with unit_of_work(shop.project_id) as session:  # another worker took it over
            session.execute(text("UPDATE stages SET lease_token = lease_token + 1"))
        with pytest.raises(LeaseLostError):
            perform(late)
        assert shop.artifact(run_id, late.name) == before
    with unit_of_work(shop.project_id) as session:
        assert session.query(Candidate).count() == 0


def test_a_snapshot_that_cannot_be_judged_says_what_is_missing(shop: Shop) -> None:
    run_id = shop.start_run(settings={"split": {"val": 0.0}})
    with pytest.raises(Exception, match="0 users with validation items") as raised:
        perform(shop.claim(run_id, StageName.SNAPSHOT))
    assert getattr(raised.value, "code", None) == "TOO_SMALL"


def test_a_run_without_any_text_ends_with_a_model_all_the_same(shop: Shop) -> None:
    with unit_of_work(shop.project_id) as session:
        session.execute(text("DELETE FROM users"))  # ids are known from the log all the same
        session.execute(text("UPDATE items SET text = NULL, text_sha256 = NULL"))
    run_id = shop.start_run()
    _run_through(shop, run_id)
    with unit_of_work(shop.project_id) as session:
        assert jobs.state(session, run_id) == "succeeded"
        figures = {s.name: s.figures for s in stages.of_run(session, run_id)}
    assert figures["align"] == {"skipped": "no text has a vector"}
    assert figures["snapshot"]["items_without_text"] == figures["snapshot"]["items"]


def test_a_text_without_a_vector_is_like_nobody(shop: Shop) -> None:
    run_id = shop.start_run()
    perform(shop.claim(run_id, StageName.SNAPSHOT))
    shop.embed(run_id)
    pointer = shop.artifact(run_id, StageName.SNAPSHOT)
    assert pointer is not None
    snapshot = files.read(ArtifactStore(settings().require("artifacts_url")).open(pointer["path"]))
    lost = snapshot.users["text_sha256"][4]
    with unit_of_work(shop.project_id) as session:
        session.execute(text("DELETE FROM embeddings WHERE text_sha256 = :lost"), {"lost": lost})
        found = texts.load(session, snapshot, model="encoder")
    assert found is not None
    assert found.missing_users.nonzero().flatten().tolist() == [4]
    # as the stage `align` writes them and the stage `candidates` reads them
    halved = Embeddings(*(side.half().float() for side in vars(found.vectors).values()))
    items = np.arange(len(snapshot.items))
    cosines = text_cosine(halved, users=np.full(len(items), 4), items=items)
    assert cosines.tolist() == [0.0] * len(items)


def test_users_without_a_text_are_described_by_what_they_like(shop: Shop) -> None:
    with unit_of_work(shop.project_id) as session:
        session.execute(text("UPDATE users SET text = NULL, text_sha256 = NULL WHERE id = 'u004'"))
    run_id = shop.start_run()
    perform(shop.claim(run_id, StageName.SNAPSHOT))
    pointer = shop.artifact(run_id, StageName.SNAPSHOT)
    assert pointer is not None
    store = ArtifactStore(settings().require("artifacts_url"))
    users = files.read(store.open(pointer["path"])).users
    composed = users.filter(pl.col("composed"))
    assert composed["id"].to_list() == ["u004"]
    lines = composed["text"][0].split("\n")
    assert len(lines) == 5
    assert all(line.startswith(("even taste", "odd taste")) for line in lines)
    assert len(users) == N_USERS
    assert len(files.read(store.open(pointer["path"])).items) <= N_ITEMS
