"""Who is recommended what, and by what: every step of the cold-start chain, on real sockets."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.fakes.llm import refused
from tests.scorer.world import World, client, embedding
from tests.trainer.shop import N_ITEMS, item

pytestmark = pytest.mark.stack
EVEN = {item(n) for n in range(0, N_ITEMS, 2)}
ODD = {item(n) for n in range(1, N_ITEMS, 2)}


def _ids(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [one["item_id"] for one in answer.json()["items"]]


def _told(answer: httpx.Response) -> tuple[str, str | None]:
    assert answer.status_code == 200, answer.text
    body = answer.json()
    return body["strategy"], body["fallback"]


def _until(found: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < until
        time.sleep(0.1)


def test_a_known_user_is_served_from_the_list_and_the_scorer_says_the_same(world: World) -> None:
    plain = world.recommend("u001", k=10)
    asked = world.recommend("u001", k=10, filter="price>=0")
    assert _told(plain) == _told(asked) == ("model", None)
    assert _ids(plain) == _ids(asked)
    scores = [[one["score"] for one in a.json()["items"]] for a in (plain, asked)]
    assert scores[0] == pytest.approx(scores[1], rel=1e-5)


def test_a_new_users_history_is_folded_in(world: World) -> None:
    taken = [item(n) for n in (1, 3, 5, 7)]
    world.add("newcomer", taken)
    answer = world.recommend("newcomer", k=8, explain="true")
    assert _told(answer) == ("fold_in", None)
    assert set(_ids(answer)) <= ODD - set(taken)
    why = answer.json()["items"][0]["reasons"]
    assert why[0]["code"] == "BECAUSE_YOU_LIKED"
    assert why[0]["item_id"] in taken


def test_an_answer_on_demand_has_an_etag_that_changes_with_it(world: World) -> None:
    world.add("returning", [item(2), item(4)])
    first = world.recommend("returning")
    with world.client("read") as asking:
        path, etag = world.path("/recommendations/returning"), first.headers["etag"]
        again = asking.get(path, headers={"If-None-Match": etag})
        assert (again.status_code, again.content) == (304, b"")
        world.add("returning", [item(6), item(8)])
        moved = asking.get(path, headers={"If-None-Match": etag})
    assert moved.status_code == 200
    assert moved.headers["etag"] == f'"{moved.json()["recommendation_id"]}"' != etag
    assert not {item(6), item(8)} & set(_ids(moved))


def test_a_known_users_newer_history_counts_once_it_is_asked_for(world: World) -> None:
    before = _ids(world.recommend("u003", k=10))
    assert _told(world.recommend("u003", fresh="true")) == ("model", None)
    world.add("u003", before[:2])
    assert _ids(world.recommend("u003", k=10)) == before  # the published list stands
    fresh = world.recommend("u003", k=10, fresh="true")
    assert _told(fresh) == ("fold_in", None)
    assert not set(before[:2]) & set(_ids(fresh))


def test_a_user_with_a_profile_text_and_no_history_is_read_by_the_text(world: World) -> None:
    with world.client() as asking:
        rows = [{"id": "reader", "text": "odd taste, all the way"}]
        asking.put(world.path("/users"), json={"users": rows})
    answer = world.recommend("reader", k=10, explain="true")
    assert _told(answer) == ("text", None)
    assert set(_ids(answer)) <= ODD
    assert answer.json()["items"][0]["reasons"] == [{"code": "LIKE_YOUR_PROFILE"}]
    asked = len(world.llm.calls)
    assert _ids(world.recommend("reader", k=10)) == _ids(answer)
    assert len(world.llm.calls) == asked  # the vector was kept


def test_a_profile_of_blanks_is_known_by_its_title_as_the_training_knows_it(world: World) -> None:
    with world.client() as asking:
        rows = [{"id": "blank", "text": " \n\t", "title": "even taste, by the title"}]
        asking.put(world.path("/users"), json={"users": rows})
    answer = world.recommend("blank", k=10)
    assert _told(answer) == ("text", None)
    assert set(_ids(answer)) <= EVEN


def test_of_whom_nothing_is_known_gets_what_is_popular(world: World) -> None:
    answer = world.recommend("nobody", k=5)
    assert _told(answer) == ("popular", "popular")
    assert len(_ids(answer)) == 5


def test_a_history_of_unknown_items_leads_to_the_next_strategy(world: World) -> None:
    world.add("stranger", ["x/1", "x/2"])
    assert _told(world.recommend("stranger")) == ("popular", "popular")


def test_seen_items_come_back_when_they_are_asked_for(world: World) -> None:
    taken = [item(n) for n in (1, 3, 5)]
    world.add("again", taken)
    assert not set(taken) & set(_ids(world.recommend("again", k=10)))
    assert set(taken) & set(_ids(world.recommend("again", k=10, exclude_seen="false")))


def test_a_session_is_folded_in_and_its_unknown_items_are_named(world: World) -> None:
    answer = world.session(items=[item(2), item(4), "never seen"], k=6, explain=True)
    assert _told(answer) == ("fold_in", None)
    assert answer.json()["unknown_items"] == ["never seen"]
    assert set(_ids(answer)) <= EVEN - {item(2), item(4)}


def test_a_session_of_a_text_is_read_by_the_text_and_nothing_of_it_is_kept(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    before = _rows(world)
    answer = world.session(text="odd taste, and zygomorphic at that", k=6)
    assert _told(answer) == ("text", None)
    assert set(_ids(answer)) <= ODD
    assert _rows(world) == before
    said = capfd.readouterr()
    assert "zygomorphic" not in said.out + said.err


def _rows(world: World) -> dict[str, Any]:
    from sqlalchemy import func, select  # noqa: PLC0415 - of this helper alone

    from services.shared.db.session import unit_of_work  # noqa: PLC0415
    from services.shared.db.tables import Embedding, Interaction, User  # noqa: PLC0415

    with unit_of_work(world.shop.project_id) as session:
        tables = (Embedding, Interaction, User)
        return {
            t.__tablename__: session.scalar(select(func.count()).select_from(t)) for t in tables
        }


def test_a_session_of_which_nothing_is_usable_is_told_so(world: World) -> None:
    for body, code in (
        ({}, "INVALID"),
        ({"text": "  "}, "INVALID"),
        ({"items": ["a", "b"]}, "NOTHING_TO_GO_BY"),
    ):
        answer = world.session(**body)
        assert (answer.status_code, answer.json()["code"]) == (422, code)
        assert answer.json()["errors"][0]["pointer"] == "/items"


def test_a_session_with_unknown_items_and_a_text_goes_by_the_text(world: World) -> None:
    answer = world.session(items=["a"], text="even taste, please", k=4)
    assert _told(answer) == ("text", None)
    assert answer.json()["unknown_items"] == ["a"]
    assert set(_ids(answer)) <= EVEN


def test_while_the_embedder_is_away_the_next_strategy_answers(world: World) -> None:
    world.llm.script = lambda _: refused(503)
    try:
        assert _told(world.session(text="odd taste, unheard of", k=4)) == ("popular", "popular")
        folded = world.session(items=[item(2)], text="odd taste, unheard of", k=4)
        assert _told(folded) == ("fold_in", None)
    finally:
        world.llm.script = embedding
    _until(lambda: _told(world.session(text="odd taste, unheard of", k=4)) == ("text", None))


def test_an_item_that_came_after_the_training_is_recommended_by_its_text(world: World) -> None:
    with world.client() as asking:
        rows = [{"id": "fresh/🦀", "text": "odd taste, newly printed", "shelf": "right"}]
        asking.put(world.path("/items"), json={"items": rows})
    wish = {"items": [item(1), item(3), item(5)], "k": 10, "explain": True}
    _until(lambda: "fresh/🦀" in _ids(world.session(**wish)))
    (entry,) = [
        one for one in world.session(**wish).json()["items"] if one["item_id"] == "fresh/🦀"
    ]
    assert entry["new"] is True
    assert entry["reasons"] == [{"code": "NEW_ITEM_BY_TEXT"}]
    assert "fresh/🦀" not in _ids(world.session(**wish, include_new_items=False))
    even = _ids(world.session(items=[item(2), item(4)], k=5))
    assert "fresh/🦀" not in even
    everyone = world.recommend("u001", k=10, include_new_items="true")
    assert "fresh/🦀" in _ids(everyone)
    assert "fresh/🦀" not in _ids(world.recommend("u001", k=10))
    world.add("pioneer", ["fresh/🦀"])  # a history of it alone is one that can be folded in
    pioneer = world.recommend("pioneer", k=5)
    assert _told(pioneer) == ("fold_in", None)
    assert set(_ids(pioneer)) <= ODD


def test_a_batch_answers_each_user_as_the_single_route_does(world: World) -> None:
    world.add("of the batch", [item(2), item(4)])
    users = ["u000", "of the batch", "nobody at all", "u001"]
    with world.client("read") as asking:
        body = {"user_ids": users, "k": 3}
        answer = asking.post(world.path("/recommendations:batch"), json=body)
    assert answer.status_code == 200, answer.text
    rows = answer.json()["recommendations"]
    assert [row["user_id"] for row in rows] == users
    assert [row["strategy"] for row in rows] == ["model", "fold_in", "popular", "model"]
    for row in rows:
        single = world.recommend(row["user_id"].replace(" ", "%20"), k=3).json()
        assert row == {"user_id": row["user_id"], **_without_model(single)}


def _without_model(body: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value for name, value in body.items() if name not in {"model_id", "dataset_version"}
    }


def test_a_batch_beyond_its_limits_is_refused_with_the_limit(world: World) -> None:
    with world.client("read") as asking:
        for body, where in (
            ({"user_ids": []}, "/user_ids"),
            ({"user_ids": ["u"] * 1_001}, "/user_ids"),
            ({"user_ids": ["u"], "k": 11}, "/k"),
            ({"user_ids": ["u"], "k": 0}, "/k"),
            ({"user_ids": ["u"], "color": 1}, "/color"),
        ):
            answer = asking.post(world.path("/recommendations:batch"), json=body)
            assert answer.status_code == 422, body
            assert answer.json()["errors"][0]["pointer"] == where


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('shelf="left"', lambda n: n < 20),
        ('shelf!="left"', lambda n: n >= 20),
        ("price<12", lambda n: n < 12),
        ('price>=12 AND shelf="left"', lambda n: 12 <= n < 20),
        ('tags="cheap"', lambda n: n < 10),
        ('tags!="cheap"', lambda n: n >= 10),
        ('"shelf" = "right" AND price = 33', lambda n: n == 33),
        ("price>1000", lambda _: False),
        ('shelf="l%" AND price<3', lambda _: False),
    ],
)
def test_a_filter_keeps_what_satisfies_it_and_nothing_else(
    world: World, text: str, kept: Callable[[int], bool]
) -> None:
    wanted = {item(n) for n in range(N_ITEMS) if kept(n)}
    found = _ids(world.recommend("nobody", k=10, filter=text))
    assert set(found) <= wanted
    assert len(found) == min(10, len(wanted))
    assert set(_ids(world.session(items=[item(2)], k=10, filter=text))) <= wanted


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("color=4", "'color'"),
        ("price<", "expected a number or a text in double quotes at its end"),
        ("price<3 OR price>5", "expected AND at 'OR price>5'"),
        ('shelf<"left"', "= and != only"),
        ("price<3; DROP TABLE items", "expected AND"),
        ("", "expected a comparison"),
        ("x" * 1_001, "1,000 characters"),
    ],
)
def test_a_filter_that_cannot_be_read_is_shown_where(world: World, text: str, said: str) -> None:
    answer = world.recommend("u001", filter=text)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/query/filter"
    assert said in answer.json()["detail"]
    if text == "color=4":
        assert "price, shelf, tags" in answer.json()["detail"]


def test_what_is_like_an_item_by_company_and_by_text(world: World) -> None:
    with world.client("read") as asking:
        for by in ("collaborative", "semantic"):
            answer = asking.get(world.path("/items/i004/similar"), params={"by": by, "k": 6})
            assert item(4) not in _ids(answer)
            assert set(_ids(answer)) <= EVEN
            scores = [one["score"] for one in answer.json()["items"]]
            assert scores == sorted(scores, reverse=True)
        few = asking.get(world.path("/items/i004/similar"), params={"filter": "price<6", "k": 6})
        assert set(_ids(few)) <= {item(n) for n in range(6)} - {item(4)}
        missing = asking.get(world.path("/items/none/similar"))
    assert (missing.status_code, missing.json()["code"]) == (404, "NOT_FOUND")
    assert "none" in missing.json()["detail"]


def test_another_projects_key_finds_nothing(world: World) -> None:
    from tests.api.conftest import OPERATOR_KEY  # noqa: PLC0415 - of this test alone

    with client(world.api_url, OPERATOR_KEY) as operator:
        other = operator.post("/v1/projects", json={"name": "another"}).json()["id"]
        body = {"project_id": other, "name": "k", "role": "admin"}
        key = operator.post("/v1/keys", json=body).json()["key"]
    with client(world.api_url, key) as stranger:
        answers = [
            stranger.get(world.path("/recommendations/newcomer")),
            stranger.get(world.path("/items/i004/similar")),
            stranger.post(world.path("/recommendations:session"), json={"items": ["i004"]}),
            stranger.post(world.path("/recommendations:batch"), json={"user_ids": ["u001"]}),
        ]
    assert {(a.status_code, a.json()["code"]) for a in answers} == {(404, "NOT_FOUND")}


def test_the_graph_that_somebody_chose_answers_on_every_way(world: World) -> None:
    world.add("chooser", [item(1), item(3)])

    def told(graph: str | None) -> list[Any]:
        """Return the scores of each way: published, filtered, folded in, posted, likeness."""
        named = {} if graph is None else {"graph": graph}
        with world.client("read") as asking:
            likeness = asking.get(world.path(f"/items/{item(1)}/similar"), params=named).json()
            posted = [
                asking.post(world.path(route), json={**body, **named}).json()
                for route, body in (
                    ("/recommendations:batch", {"user_ids": ["u001", "chooser"]}),
                    ("/recommendations:session", {"items": [item(1)]}),
                )
            ]
        single = [
            world.recommend("u001", **named).json(),
            world.recommend("u001", filter="price>=0", **named).json(),
            world.recommend("chooser", **named).json(),
        ]
        lists = [*single, *posted[0]["recommendations"], posted[1], likeness]
        return [[one["score"] for one in found["items"]] for found in lists]

    by_graph = {graph: told(graph) for graph in ("raw", "denoised")}
    assert all(raw != other for raw, other in zip(*by_graph.values(), strict=True))
    model = world.recommend("u001").json()["model_id"]
    with world.client("write") as writer:
        default = writer.get(f"/v1/models/{model}").json()["default_graph"]
        (chosen,) = by_graph.keys() - {default}
        path = f"/v1/models/{model}:promote"
        assert writer.post(path, json={"graph": chosen}).json()["served_graph"] == chosen
        try:
            assert told(None) == by_graph[chosen]
        finally:
            assert writer.post(path).json()["served_graph"] == default
    assert told(None) == by_graph[default]
