"""A downstream app's whole way over HTTP, and the same way with six faults on it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.e2e.drive import PARAMS, RUN, Filled, Watched, fill, watch
from tests.e2e.house import FLUSH, IN_FLIGHT, House
from tests.e2e.shop import BAD_LINES, BOOKS, READERS, TYPES, Shop
from tests.faults.checks import result_of, violations
from tests.faults.reader import Reader
from tests.faults.trial import Trial, strikes_of
from tests.faults.way import Way as FaultyWay
from tests.waiting import until
from winnow_client import ApiError, Client

pytestmark = pytest.mark.e2e

Json = dict[str, Any]

READER, NOBODY = "reader-0000", "reader-of-another-shop"
STAGES = {
    "snapshot",
    "embed",
    "align",
    "pretrain",
    "candidates",
    "rate",
    "train_raw",
    "refine",
    "train",
    "evaluate",
    "publish",
}
CALLS_BEFORE_THE_KILL = 300  # of about 700
SAMPLE = Trial(
    strikes=(
        ("Valkey wiped", "queued"),
        ("stage killed", "pretrain"),
        ("llm_worker killed", "rate"),
        ("Postgres killed", "train"),
        ("trainer killed", "evaluate"),
        ("api killed", "posting"),
    ),
    seed=10,  # strikes `pretrain` a quarter of a second after its process began
)
"""A sample of the fault series; `make soak` tries every fault at every moment."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """A dataset, its finished run, and how many chats the endpoint was asked meanwhile."""

    filled: Filled
    run: Watched
    calls: int


@dataclass(frozen=True, kw_only=True)
class Battered:
    """A way on which much was killed, and somebody who read lists meanwhile."""

    way: FaultyWay
    reader: Reader


@pytest.fixture(scope="module")
def undisturbed(client: Client, shop: Shop, house: House) -> Way:
    """The way without any trouble."""
    filled = fill(client, shop, name="undisturbed")
    run = watch(client, client.start_run(filled.dataset_id, **RUN))
    return Way(filled=filled, run=run, calls=house.gate.calls)


@pytest.fixture(scope="module")
def battered(house: House, shop: Shop, key: str, undisturbed: Way) -> Iterator[Battered]:
    """The same way, and on it a fault at each of six moments; then the stack is told `up` again."""
    path = f"/v1/datasets/{undisturbed.filled.dataset_id}/recommendations/{READER}"
    way = FaultyWay(
        house=house,
        shop=shop,
        key=key,
        run=RUN,
        name="broken",
        strikes=strikes_of(SAMPLE, house),
        calls_before=CALLS_BEFORE_THE_KILL,
    )
    with way:
        with Reader(house.url, key, path) as reader:
            way.go()
        yield Battered(way=way, reader=reader)


@pytest.fixture(scope="module")
def broken(battered: Battered) -> Way:
    """The broken way as the tests of any way read it."""
    way = battered.way
    filled = Filled(dataset_id=way.dataset, imports=dict(zip(TYPES, way.imports, strict=True)))
    return Way(filled=filled, run=Watched(job=way.job), calls=way.calls)


@pytest.fixture(scope="module")
def raw(house: House, key: str) -> Iterator[httpx.Client]:
    """HTTP without the client, for what only headers tell."""
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=house.url, headers=headers, trust_env=False) as made:
        yield made


def test_bad_lines_are_reported_by_number_and_the_rest_comes_in(
    undisturbed: Way, shop: Shop
) -> None:
    imports = undisturbed.filled.imports
    assert imports["users"]["result"]["accepted"] == READERS
    assert imports["items"]["result"]["accepted"] == BOOKS
    told = imports["interactions"]["result"]
    assert (told["accepted"], told["rejected"]) == (shop.good, len(BAD_LINES))
    assert [error["line"] for error in told["errors"]] == sorted(BAD_LINES)
    assert undisturbed.run.stage("snapshot")["figures"]["rows"] == shop.good


def test_a_run_shows_every_stage_and_never_goes_back(undisturbed: Way) -> None:
    job = undisturbed.run.job
    assert {stage["name"] for stage in job["stages"]} == STAGES
    assert {stage["state"] for stage in job["stages"]} == {"succeeded"}
    done = [_succeeded(seen) for seen in undisturbed.run.seen]
    assert done == sorted(done)
    assert done[0] == 0
    rated = [seen["progress"]["completed"] for seen in undisturbed.run.seen]
    assert rated == sorted(rated)
    # of a dataset's first run nobody knows it before the last stage, which a poll may miss
    assert all(
        seen["eta_seconds"] is None or seen["eta_seconds"] >= 0 for seen in undisturbed.run.seen
    )
    ends = {stage["name"]: stage["finished_at"] for stage in job["stages"]}
    assert ends["candidates"] < ends["rate"] < ends["refine"] < ends["train"] < ends["publish"]


def test_an_undisturbed_run_asks_each_question_once(undisturbed: Way, house: House) -> None:
    pairs = undisturbed.run.stage("candidates")["figures"]["pairs"]
    assert undisturbed.calls == 2 * pairs == len(_ratings(house, undisturbed))
    assert undisturbed.run.job["progress"] == {
        "total": 2 * pairs,
        "completed": 2 * pairs,
        "failed": 0,
        "cached": 0,
    }


def test_a_known_user_gets_unseen_books_and_an_unknown_one_what_is_popular(
    client: Client, undisturbed: Way, shop: Shop
) -> None:
    dataset = undisturbed.filled.dataset_id
    known = client.recommendations(dataset, READER, k=10)
    assert (known["strategy"], known["fallback"]) == ("model", None)
    assert [item["rank"] for item in known["items"]] == list(range(1, 11))
    scores = [item["score"] for item in known["items"]]
    assert scores == sorted(scores, reverse=True)
    assert not {item["item_id"] for item in known["items"]} & _bought(shop, READER)
    unknown = client.recommendations(dataset, NOBODY, k=10)
    assert (unknown["strategy"], unknown["fallback"]) == ("popular", "popular")
    assert len(unknown["items"]) == 10


def test_a_list_that_the_caller_has_is_not_sent_again(raw: httpx.Client, undisturbed: Way) -> None:
    path = f"/v1/datasets/{undisturbed.filled.dataset_id}/recommendations/{READER}"
    first = raw.get(path)
    again = raw.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    assert raw.get(path, params={"k": 3}).headers["ETag"] != first.headers["ETag"]


def test_newcomers_are_served_by_the_scorer_and_lists_serve_on_without_it(
    client: Client, house: House, undisturbed: Way, shop: Shop
) -> None:
    dataset = undisturbed.filled.dataset_id
    books = sorted(_bought(shop, READER))
    folded = client.recommend_session(dataset, items=books[:5], k=10, explain=True)
    assert (folded["strategy"], folded["unknown_items"]) == ("fold_in", [])
    assert not {item["item_id"] for item in folded["items"]} & set(books[:5])
    until(
        lambda: client.recommend_session(dataset, text="Slow sea stories.")["strategy"] == "text",
        what="the embedder's vector",
    )
    like = client.similar(dataset, books[0], by="semantic", k=3)
    assert len(like) == 3
    before = client.recommendations(dataset, READER)
    house.kill("scorer")
    try:
        assert client.recommendations(dataset, READER) == before
        lonely = client.recommend_session(dataset, items=books[:5], k=10)
        assert (lonely["strategy"], lonely["fallback"]) == ("popular", "popular")
    finally:
        house.stack.up()
    until(
        lambda: client.recommend_session(dataset, items=books[:5])["strategy"] == "fold_in",
        what="the scorer's return",
    )


def test_flagged_pairs_carry_the_reasons_of_both_views(client: Client, undisturbed: Way) -> None:
    dataset = undisturbed.filled.dataset_id
    flagged = [row for row in client.verdicts(dataset, verdict="noise") if row["edge"]]
    assert flagged
    for row in flagged:
        labels = {view: rating["label"] for view, rating in row["ratings"].items()}
        assert set(labels) == {"user", "item"}
        assert "Low" in labels.values()
        assert "High" not in labels.values()
        assert all(rating["reason"] for rating in row["ratings"].values())


def test_the_noise_report_counts_what_the_verdicts_list(client: Client, undisturbed: Way) -> None:
    dataset = undisturbed.filled.dataset_id
    rows = list(client.verdicts(dataset, page_size=50))
    totals = client.noise_report(dataset)["totals"]
    assert totals["candidates"] == totals["rated"] == len(rows)
    assert totals["dropped"] == sum(row["action"] == "drop" for row in rows)
    assert totals["added"] == sum(row["action"] == "add" for row in rows)
    for verdict, count in totals["by_verdict"].items():
        assert count == sum(row["verdict"] == verdict for row in rows)


def test_another_projects_key_finds_nothing_anywhere(
    client: Client, house: House, undisturbed: Way
) -> None:
    ids = {
        "dataset": undisturbed.filled.dataset_id,
        "job": undisturbed.run.id,
        "model": undisturbed.run.job["result"]["model_id"],
        "import_id": undisturbed.filled.imports["interactions"]["id"],
        "user_id": READER,
        "item_id": "book-0000",
    }
    headers = {"Authorization": f"Bearer {house.new_key('stranger')}"}
    with httpx.Client(base_url=house.url, headers=headers, trust_env=False) as stranger:
        document = stranger.get("/openapi.json").json()
        asked = [
            (stranger.request(verb, path.format_map(ids)).status_code, verb, path)
            for path, verbs in document["paths"].items()
            for verb, operation in verbs.items()
            if any(f"{{{name}}}" in path for name in ids) and "requestBody" not in operation
        ]
        listed = [stranger.get(f"/v1/{noun}").json()[noun] for noun in ("datasets", "jobs")]
    assert len(asked) >= 10
    assert [one for one in asked if one[0] != 404] == []
    assert listed == [[], []]
    assert client.dataset(ids["dataset"])["current_model_id"] == ids["model"]


def test_nothing_is_lost_doubled_or_left_over_whatever_was_killed(
    battered: Battered, undisturbed: Way, house: House
) -> None:
    run, dataset = undisturbed.run.id, undisturbed.filled.dataset_id
    reference = result_of(house, run=run, dataset=dataset)
    assert battered.way.struck == {moment for _, moment in SAMPLE.strikes}
    assert violations(battered.way, reference, again=IN_FLIGHT + FLUSH) == [], SAMPLE
    assert battered.reader.wrong == [], SAMPLE
    assert battered.reader.served > 0


def test_killed_processes_change_no_rating_no_verdict_and_no_model(
    client: Client, house: House, undisturbed: Way, broken: Way
) -> None:
    assert _ratings(house, broken) == _ratings(house, undisturbed)
    assert _verdicts(client, broken) == _verdicts(client, undisturbed)
    assert _metrics(client, broken) == _metrics(client, undisturbed)


def test_a_question_is_stored_once_whoever_was_killed(house: House, broken: Way) -> None:
    stored = house.rows(
        "SELECT count(*), count(DISTINCT (user_id, item_id, view)) FROM ratings "
        "WHERE dataset_id = :dataset",
        dataset=broken.filled.dataset_id,
    )
    asked = broken.run.job["progress"]["total"]
    assert stored == [(asked, asked)]


def test_a_kill_costs_at_most_the_calls_in_flight_and_one_flush(broken: Way) -> None:
    again = broken.calls - broken.run.job["progress"]["total"]
    assert IN_FLIGHT <= again <= IN_FLIGHT + FLUSH


def test_a_stage_whose_process_was_killed_is_begun_again(house: House, broken: Way) -> None:
    query = "SELECT attempts FROM stages WHERE run_id = :run AND name = 'pretrain'"
    assert house.rows(query, run=broken.run.id) == [(2,)]


def test_a_cancelled_run_ends_the_process_of_its_stage(
    client: Client, house: House, undisturbed: Way
) -> None:
    dataset = undisturbed.filled.dataset_id
    endless = PARAMS | {"epochs": 10_000, "patience": 10_000}
    job = client.start_run(dataset, **RUN | {"params": endless})
    process = house.wait_for_stage("pretrain")
    client.cancel(job["id"])
    until(lambda: client.job(job["id"])["state"] == "cancelled", what="the end of the run")
    assert not process.is_running()
    states = {stage["name"]: stage["state"] for stage in client.job(job["id"])["stages"]}
    assert states["pretrain"] == states["train"] == "cancelled"
    assert client.dataset(dataset)["current_model_id"] == undisturbed.run.job["result"]["model_id"]


def test_a_deleted_dataset_is_gone_at_once_and_erased_soon_after(
    client: Client, house: House, undisturbed: Way, broken: Way
) -> None:
    dataset, run = undisturbed.filled.dataset_id, undisturbed.run.id
    assert sum(_rows_left(house, dataset).values()) > 0
    client.delete_dataset(dataset)
    for ask in (client.dataset, client.noise_report, lambda d: client.recommendations(d, READER)):
        with pytest.raises(ApiError) as refusal:
            ask(dataset)
        assert refusal.value.status == 404
    until(lambda: not any(_rows_left(house, dataset).values()), what="the purge")
    assert not list((house.stack.home.folder / "artifacts").rglob(f"*{run}*"))
    assert client.recommendations(broken.filled.dataset_id, READER)["strategy"] == "model"


def _succeeded(job: Json) -> int:
    return sum(stage["state"] == "succeeded" for stage in job["stages"])


def _ratings(house: House, way: Way) -> set[tuple[Any, ...]]:
    """Return (user, item, view, label) of the run as the database keeps it."""
    query = """
        SELECT r.user_id, r.item_id, r.view, r.label
        FROM run_ratings l JOIN ratings r ON r.id = l.rating_id WHERE l.run_id = :run
    """
    return set(house.rows(query, run=way.run.id))


def _verdicts(client: Client, way: Way) -> list[Json]:
    rows = client.verdicts(way.filled.dataset_id, run=way.run.id)
    return [{name: value for name, value in row.items() if name != "run_id"} for row in rows]


def _metrics(client: Client, way: Way) -> Json:
    metrics: Json = client.model(way.run.job["result"]["model_id"])["metrics"]
    return metrics


def _bought(shop: Shop, reader: str) -> set[str]:
    lines = shop.file("interactions").read_text(encoding="utf-8").splitlines()
    return {line.split(",")[1] for line in lines if line.startswith(f"{reader},")}


def _rows_left(house: House, dataset: str) -> dict[str, int]:
    """Return how many rows each table with a dataset_id has of it; who erased it stays known."""
    tables = house.rows(
        "SELECT table_schema || '.' || table_name FROM information_schema.columns "
        "WHERE column_name = 'dataset_id' AND table_schema IN ('public', 'staging') "
        "AND table_name <> 'audit_log'"
    )
    return {
        name: house.rows(f"SELECT count(*) FROM {name} WHERE dataset_id = :d", d=dataset)[0][0]
        for (name,) in tables
    }
