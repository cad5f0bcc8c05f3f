"""The preflight report counts what the snapshot will find, and says what a person should know."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from services.api.use_cases import foresee
from services.api.use_cases.foresee import asked
from services.api.use_cases.spread_of import share_of_top, spread_of
from services.recsys.candidates import CandidateConfig, choose_candidates
from services.recsys.data import Interactions
from services.recsys.split import apply_parts
from services.shared.db.repos import snapshots, surveys
from services.shared.db.session import unit_of_work
from services.shared.errors import LimitedError, UnavailableError
from services.shared.specs import DatasetSettings, LlmhniParams
from services.trainer.snapshot import positives, split
from tests.api.conftest import Tenant

pytestmark = pytest.mark.stack
Json = dict[str, Any]
USERS, ITEMS, EVENTS = 60, 40, 900


def _log() -> list[Json]:
    """Return events of uneven users, some pairs twice, with values, days and words of a split."""
    rng = np.random.default_rng(5)
    users = (USERS * rng.random(EVENTS) ** 2).astype(int)
    items = (ITEMS * rng.random(EVENTS) ** 1.5).astype(int)
    return [
        {
            "user_id": f"u{user:02d}",
            "item_id": f"i{item:02d}",
            "type": ("view", "purchase")[int(rng.integers(2))],
            "value": float(rng.integers(1, 6)),
            "timestamp": 1_700_000_000 + 3_600 * int(rng.integers(200)),
            "split": (None, "train", "train", "val", "test")[int(rng.integers(5))],
        }
        for user, item in zip(users.tolist(), items.tolist(), strict=True)
    ]


def _filled(tenant: Tenant, name: str, rows: list[Json], **settings: object) -> str:
    dataset = tenant.dataset(name, **settings)
    with tenant.client() as client:
        for start in range(0, len(rows), 900):
            body = {"interactions": rows[start : start + 900]}
            answer = client.post(f"/v1/datasets/{dataset}/interactions", json=body)
            assert answer.is_success, answer.text
    return dataset


def _report(tenant: Tenant, dataset: str) -> Json:
    with tenant.client("read") as client:
        answer = client.get(f"/v1/datasets/{dataset}/preflight")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def _codes(report: Json) -> list[str]:
    return [warning["code"] for warning in report["warnings"]]


def _snapshot(tenant: Tenant, dataset: str, wishes: DatasetSettings, folder: Path) -> split.Indexed:
    """Return the graph as the stage snapshot makes it, by its own code."""
    with unit_of_work(tenant.id) as session:
        snapshots.copy_interactions(session, UUID(dataset), folder / "log.csv")
    return split.core(positives.read(folder / "log.csv", positive=wishes.positive).pairs, wishes)


def _no_scores(train: Interactions) -> Callable[[np.ndarray], np.ndarray]:
    return lambda users: np.zeros((len(users), train.n_items))


SETTINGS: list[Json] = [
    {"split": {"kind": "column"}},
    {"split": {"kind": "temporal", "val": 0.15, "test": 0.25}, "positive": "value>=3"},
    {"split": {"kind": "leave_last"}, "min_user_degree": 4, "min_item_degree": 6},
    {"split": {"kind": "column"}, "positive": 'type="purchase"', "min_user_degree": 5},
    {"split": {"kind": "temporal"}, "min_user_degree": 9, "min_item_degree": 12},
]


@pytest.mark.parametrize("wanted", SETTINGS, ids=range(len(SETTINGS)))
def test_the_report_counts_what_the_snapshot_will_find(
    tenant: Tenant, tmp_path: Path, wanted: Json
) -> None:
    wishes = DatasetSettings.read(wanted)
    dataset = _filled(tenant, f"counted {wanted}", _log(), **wanted)
    graph = _snapshot(tenant, dataset, wishes, tmp_path)
    divided = apply_parts(graph.edges, split.parts(graph, wishes))
    report = _report(tenant, dataset)
    assert report["core"]["settled"]
    before, lost = report["counts"], report["core"]
    assert before["positive_users"] - lost["users_lost"] == graph.edges.n_users
    assert before["positive_items"] - lost["items_lost"] == graph.edges.n_items
    assert before["positive_pairs"] - lost["pairs_lost"] == len(graph.edges)
    for name in ("train", "val", "test"):
        part = getattr(divided, name)
        assert report["split"][name] == {
            "pairs": len(part),
            "users": len(np.unique(part.users)),
            "items": len(np.unique(part.items)),
        }
    assert report["split"]["exact"]
    candidates = choose_candidates(
        divided.train,
        _no_scores(divided.train),
        edge_scores=np.zeros(len(divided.train)),
        config=CandidateConfig(n1=10, n2=2, budget=10_000),
        rng=np.random.default_rng(0),
    )
    assert report["run"]["pairs"] == len(candidates)
    assert report["run"]["edges"] == int(candidates.is_edge.sum())
    assert report["run"]["calls"] == 2 * len(candidates)


def test_a_random_split_is_foreseen_within_what_its_hash_may_stray(
    tenant: Tenant, tmp_path: Path
) -> None:
    dataset = _filled(tenant, "drawn", _log())
    strays = []
    for seed in range(20):
        wishes = DatasetSettings.read({"split": {"seed": seed}})
        with unit_of_work(tenant.id) as session:
            found = surveys.survey(session, UUID(dataset), wishes)
        foreseen = foresee.foresee(found, wishes.split)
        graph = _snapshot(tenant, dataset, wishes, tmp_path)
        divided = apply_parts(graph.edges, split.parts(graph, wishes))
        for name, part in foreseen.parts.items():
            drawn = getattr(divided, name)
            sizes = len(drawn), len(np.unique(drawn.users)), len(np.unique(drawn.items))
            for number, size in zip((part.pairs, part.users, part.items), sizes, strict=True):
                strays.append((size - number.mean) / max(number.spread, 1e-9))
    assert not foreseen.exact
    assert max(abs(stray) for stray in strays) < foresee.CERTAIN
    # a standard deviation that is one: about a third of all draws stray further
    assert 0.5 < float(np.std(strays)) < 1.5


def test_candidates_of_a_random_split_come_to_the_mean_over_its_draws(
    tenant: Tenant, tmp_path: Path
) -> None:
    dataset = _filled(tenant, "asked about", _log())
    counts = []
    for seed in range(20):
        wishes = DatasetSettings.read({"split": {"seed": seed}})
        graph = _snapshot(tenant, dataset, wishes, tmp_path)
        train = apply_parts(graph.edges, split.parts(graph, wishes)).train
        candidates = choose_candidates(
            train,
            _no_scores(train),
            edge_scores=np.zeros(len(train)),
            config=CandidateConfig(n1=4, n2=3),
            rng=np.random.default_rng(0),
        )
        counts.append((int(candidates.is_edge.sum()), int((~candidates.is_edge).sum())))
    with unit_of_work(tenant.id) as session:
        found = surveys.survey(session, UUID(dataset), wishes)
    params = LlmhniParams(n1=4, n2=3)
    edges, non_edges = np.mean(counts, axis=0)
    free = asked(found, wishes.split, params, 10_000)
    assert free.edges == pytest.approx(edges, rel=0.02)
    assert free.non_edges == pytest.approx(non_edges, rel=0.02)
    bound = asked(found, wishes.split, params, 100)
    assert (bound.edges, bound.non_edges, bound.pairs) == (80, 20, 100)


def test_events_times_values_and_repeats_are_told(tenant: Tenant) -> None:
    rows: list[Json] = [
        {"user_id": "a", "item_id": "x", "type": "view", "value": 1, "timestamp": 1_700_000_000},
        {"user_id": "a", "item_id": "x", "type": "view", "value": 5, "timestamp": 1_700_000_001},
        {"user_id": "a", "item_id": "y", "type": "purchase", "value": 5},
        {"user_id": "b", "item_id": "y", "value": 4, "timestamp": "2199-01-01T00:00:00Z"},
    ]
    dataset = _filled(tenant, "told", rows, positive="value>=4", timezone="Europe/Berlin")
    with tenant.client() as client:
        client.put(f"/v1/datasets/{dataset}/items", json={"items": [{"id": "x"}, {"id": "z"}]})
        client.put(f"/v1/datasets/{dataset}/users", json={"users": [{"id": "b", "text": "B."}]})
    report = _report(tenant, dataset)
    assert report["counts"] == {
        "events": 4,
        "users": 2,
        "items": 2,
        "positive_events": 3,
        "positive_share": 0.75,
        "positive_pairs": 3,
        "positive_users": 2,
        "positive_items": 2,
        "user_profiles": 1,
        "item_profiles": 2,
        "density": 0.75,
    }
    assert report["duplicates"] == {"pair": 1, "event": 0}
    assert report["untouched"] == {"users": 0, "items": 1, "item_ids": ["z"]}
    assert report["timestamps"] == {
        "first": "2023-11-14T22:13:20Z",
        "last": "2199-01-01T00:00:00Z",
        "missing": 1,
        "future": 1,
        "timezone": "Europe/Berlin",
    }
    assert report["types"] == [
        {"type": "view", "events": 2},
        {"type": "purchase", "events": 1},
        {"type": None, "events": 1},
    ]
    assert report["values"]["commonest"][0] == {"value": 5.0, "events": 2}
    assert report["heavy_users"]["top"][0] == {"user_id": "a", "pairs": 2, "share": 2 / 3}
    assert report["trainable"]["users_without_text"] == 1
    assert {"FUTURE_TIMESTAMP", "NOT_ENOUGH", "NO_TEXTS", "SPARSE"} <= set(_codes(report))


TEXTS = {
    "plain": "A novel of the sea, told by its keeper.",
    "short": "Short.",
    "long": "A saga without an end. " * 40,  # 920 characters
    "han": "一个守灯塔的人讲述的海洋小说。",
    "mixed": "海 tide 塔 keeper 人 novel about the harbour and its winters",
    "cyrillic": "Роман про море и смотрителя маяка.",
    "arabic": "رواية عن البحر",
    "japanese": "灯台守が語る海の小説。",
    "blank": "  \n\t ",
    "empty": "",
}


def test_texts_are_told_by_length_and_script(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"user_id": f"u{n}", "item_id": name} for n in range(12) for name in TEXTS]
    dataset = _filled(tenant, "worded", rows)
    items: list[Json] = [{"id": name, "text": text} for name, text in TEXTS.items()]
    items.append({"id": "titled", "title": "Tides"})
    with tenant.client() as client:
        assert client.put(f"/v1/datasets/{dataset}/items", json={"items": items}).is_success
    side = _report(tenant, dataset)["texts"]["items"]
    assert (side["profiles"], side["missing"], side["titled"]) == (11, 2, 1)
    assert (side["short"], side["long"], side["prompt_limit"]) == (5, 0, 4_000)
    said = 9
    assert side["scripts"] == {
        "Latin": pytest.approx(5 / said, abs=1e-5),
        "Arabic": pytest.approx(1 / said, abs=1e-5),
        "Cyrillic": pytest.approx(1 / said, abs=1e-5),
        "Han": pytest.approx(1 / said, abs=1e-5),
        "Japanese": pytest.approx(1 / said, abs=1e-5),
    }
    assert side["non_latin"] == pytest.approx(4 / said, abs=1e-5)
    assert side["exact"]
    report = _report(tenant, dataset)
    warned = next(w for w in report["warnings"] if w["code"] == "NON_LATIN_TEXTS")
    assert warned["detail"] == (
        "44.4% of the texts of items are in another script than Latin, which the local rater does "
        "not read: it never calls such a pair Low."
    )
    assert report["trainable"]["users_composed"] == 12


def test_a_small_dataset_hears_what_is_missing_and_what_would_help(tenant: Tenant) -> None:
    empty = _report(tenant, tenant.dataset("nothing in it"))
    assert _codes(empty) == ["NO_EVENTS", "NOT_ENOUGH"]
    assert not empty["trainable"]["enough"]
    rows = [{"user_id": f"u{n}", "item_id": f"i{m}"} for n in range(12) for m in range(12)]
    none = _report(tenant, _filled(tenant, "none positive", rows, positive="value>=4"))
    assert _codes(none)[:2] == ["NO_POSITIVES", "NOT_ENOUGH"]
    assert none["warnings"][0]["detail"] == "None of 144 events is positive where value>=4."
    undated = _report(tenant, _filled(tenant, "undated", rows, split={"kind": "temporal"}))
    assert undated["trainable"]["missing"][0] == (
        "The split temporal reads times, and 144 pairs have none."
    )
    core = _report(tenant, _filled(tenant, "all lost", rows, min_user_degree=13))
    assert core["core"]["pairs_lost"] == 144
    assert "CORE_LOSES" in _codes(core)
    assert not core["trainable"]["enough"]


def test_one_user_who_took_nearly_everything_is_named(tenant: Tenant) -> None:
    rows = [{"user_id": f"u{n}", "item_id": f"i{n}"} for n in range(20)]
    rows += [{"user_id": "robot", "item_id": f"i{n}"} for n in range(20)]
    report = _report(tenant, _filled(tenant, "robots", rows))
    warned = next(w for w in report["warnings"] if w["code"] == "HEAVY_USERS")
    assert warned["detail"] == "The heaviest hundredth of the users holds 50% of all pairs."
    assert report["heavy_users"]["top"][0]["user_id"] == "robot"


def test_one_report_of_a_dataset_at_a_time_and_none_for_ever(tenant: Tenant) -> None:
    dataset = UUID(tenant.dataset("busy"))
    with unit_of_work(tenant.id) as first, unit_of_work(tenant.id) as second:
        with surveys.within(first, dataset, 5, noun="The report"):
            with tenant.client() as client:
                busy = client.get(f"/v1/datasets/{dataset}/preflight")
            with pytest.raises(LimitedError, match="Another"):
                surveys.within(second, dataset, 5, noun="The report").__enter__()
        second.rollback()
    assert (busy.status_code, busy.headers["retry-after"]) == (429, "5")
    with (
        unit_of_work(tenant.id) as session,
        pytest.raises(UnavailableError, match=r"The report took longer than 0\.05 seconds"),
        surveys.within(session, dataset, 0.05, noun="The report"),
    ):
        session.execute(surveys.text("SELECT pg_sleep(5)"))


def test_a_spread_is_that_of_the_written_out_list() -> None:
    degrees = {1: 3, 2: 1, 5: 4, 9: 2}
    whole = sorted(degree for degree, n in degrees.items() for _ in range(n))
    found = spread_of(degrees)
    assert found is not None
    assert (found.min, found.max, found.p90) == (1, 9, 9)
    assert found.median == float(np.median(whole))
    assert found.mean == pytest.approx(float(np.mean(whole)))
    bars = [(bar.least, bar.most, bar.count) for bar in found.histogram]
    assert bars == [(1, 1, 3), (2, 3, 1), (4, 7, 4), (8, 15, 2)]
    assert spread_of({}) is None
    assert share_of_top(degrees, 0.2) == pytest.approx(18 / sum(whole))
    assert share_of_top({}, 0.2) is None


def test_the_report_reads_as_json_whatever_the_ids_are(tenant: Tenant) -> None:
    rows = [{"user_id": "🦀/..%2F", "item_id": "i"}]
    report = _report(tenant, _filled(tenant, "strange", rows))
    assert json.loads(json.dumps(report))["heavy_users"]["top"][0]["user_id"] == "🦀/..%2F"
