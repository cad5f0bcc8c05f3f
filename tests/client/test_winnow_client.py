"""The client against a scripted server on a real socket."""

from __future__ import annotations

import ast
import gzip
import io
import json
import socket
import sys
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import httpx
import pytest
from scripted import Answer, scripted

import winnow_client
from winnow_client import ApiError, Client, ConnectionFailedError, JobFailedError
from winnow_client.retry import Retry, retry_after

BUSY = Answer(503, {"code": "NOT_READY"}, {"Retry-After": "7"})
PROBLEM = {
    "type": "about:blank",
    "code": "INVALID_SPLIT",
    "title": "Unprocessable",
    "status": 422,
    "detail": "The split is unknown.",
    "request_id": "req-9",
    "errors": [{"pointer": "/settings/split"}],
}


def test_a_problem_document_becomes_a_typed_error() -> None:
    with (
        scripted(Answer(422, PROBLEM)) as server,
        Client(server.url, "k") as client,
        pytest.raises(ApiError) as caught,
    ):
        client.create_dataset("books")
    error = caught.value
    assert (error.code, error.status, error.request_id) == ("INVALID_SPLIT", 422, "req-9")
    assert error.detail == "The split is unknown."
    assert error.errors == [{"pointer": "/settings/split"}]


def test_an_error_without_a_problem_document_still_has_a_code() -> None:
    answer = Answer(502, None, {"X-Request-Id": "req-3"})
    with (
        scripted(answer) as server,
        Client(server.url, "k") as client,
        pytest.raises(ApiError) as caught,
    ):
        client.job("j")
    assert (caught.value.code, caught.value.request_id) == ("HTTP_502", "req-3")


def test_a_busy_server_is_asked_again_after_the_time_it_names() -> None:
    waits: list[float] = []
    answers = (BUSY, Answer(429, {}, {"Retry-After": "2"}), Answer(200, {"id": "j"}))
    with scripted(*answers) as server, Client(server.url, "k", sleep=waits.append) as client:
        assert client.job("j") == {"id": "j"}
    assert waits == [7.0, 2.0]


def test_a_repeated_post_carries_the_same_idempotency_key() -> None:
    with (
        scripted(BUSY, Answer(202, {"id": "run"})) as server,
        Client(server.url, "k", sleep=lambda _: None) as client,
    ):
        assert client.start_run("d", method="llmhni", seed=0, budget_usd=None)["id"] == "run"
    first, second = server.asked
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"] != ""
    assert second.json() == {"method": "llmhni", "seed": 0}


def test_a_report_and_an_estimate_are_asked_for_without_starting_anything() -> None:
    answers = Answer(200, {"warnings": []}), Answer(200, {"pairs": 7})
    with scripted(*answers) as server, Client(server.url, "k") as client:
        assert client.preflight("d") == {"warnings": []}
        assert client.estimate_run("d", budget_pairs=7, seed=None) == {"pairs": 7}
    report, estimate = server.asked
    assert (report.method, report.path) == ("GET", "/v1/datasets/d/preflight")
    assert (estimate.method, estimate.path) == ("POST", "/v1/datasets/d/runs")
    assert estimate.json() == {"budget_pairs": 7, "validate_only": True}
    assert "idempotency-key" not in estimate.headers


def test_a_post_that_meets_its_own_first_try_waits_for_it_and_any_other_conflict_is_told() -> None:
    running, taken = Answer(409, {"code": "STILL_RUNNING"}), Answer(409, {"code": "NAME_TAKEN"})
    waits: list[float] = []
    answers = (running, running, Answer(201, {"id": "d"}), taken)
    with scripted(*answers) as server, Client(server.url, "k", sleep=waits.append) as client:
        assert client.create_dataset("books") == {"id": "d"}
        with pytest.raises(ApiError, match="NAME_TAKEN"):
            client.create_dataset("books")
    assert waits == [0.5, 1.0]


def test_two_calls_have_two_idempotency_keys() -> None:
    with scripted(Answer(202, {}), Answer(202, {})) as server, Client(server.url, "k") as client:
        client.start_run("d")
        client.start_run("d")
    assert len({asked.headers["idempotency-key"] for asked in server.asked}) == 2


def test_a_call_that_is_not_idempotent_is_sent_once() -> None:
    with (
        scripted(BUSY) as server,
        Client(server.url, "k") as client,
        pytest.raises(ApiError, match="503"),
    ):
        client.cancel("j")
    assert len(server.asked) == 1


def test_a_key_is_created_by_one_call_because_a_replay_would_hide_its_secret() -> None:
    with (
        scripted(BUSY) as server,
        Client(server.url, "k") as client,
        pytest.raises(ApiError, match="503"),
    ):
        client.create_key(name="demo", role="write", project_id="p")
    assert len(server.asked) == 1
    assert "idempotency-key" not in server.asked[0].headers
    assert server.asked[0].json() == {"name": "demo", "role": "write", "project_id": "p"}


def test_the_last_refusal_is_raised_when_the_attempts_are_spent() -> None:
    retry = Retry(attempts=3)
    with (
        scripted(BUSY, BUSY, BUSY) as server,
        Client(server.url, "k", retry=retry, sleep=lambda _: None) as client,
        pytest.raises(ApiError, match="NOT_READY"),
    ):
        client.job("j")
    assert len(server.asked) == 3


def test_a_cut_connection_is_tried_again() -> None:
    waits: list[float] = []
    with (
        scripted(Answer(hang_up=True), Answer(200, {"id": "j"})) as server,
        Client(server.url, "k", sleep=waits.append) as client,
    ):
        assert client.job("j") == {"id": "j"}
    assert waits == [0.5]


def test_nobody_at_the_address_is_one_clear_error() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (
        Client(f"http://127.0.0.1:{port}", "k", sleep=lambda _: None) as client,
        pytest.raises(ConnectionFailedError, match=f"No answer from http://127.0.0.1:{port}"),
    ):
        client.job("j")


@pytest.mark.parametrize(
    ("identifier", "encoded"),
    [
        ("a/b", "a%2Fb"),
        ("..", "%2E%2E"),
        ("50%", "50%25"),
        ("c:d?e#f", "c%3Ad%3Fe%23f"),
        ("\U0001f600", "%F0%9F%98%80"),
    ],
)
def test_an_id_is_one_path_segment(identifier: str, encoded: str) -> None:
    with scripted(Answer(200, {"items": []})) as server, Client(server.url, "k") as client:
        client.recommendations("d", identifier, k=5, graph="raw")
    assert server.asked[0].path == f"/v1/datasets/d/recommendations/{encoded}?k=5&graph=raw"


def test_wishes_beyond_the_published_list_go_along() -> None:
    with scripted(Answer(200, {"items": []})) as server, Client(server.url, "k") as client:
        client.recommendations(
            "d", "u", filter="price<20", exclude_seen=False, fresh=True, include_new_items=True
        )
    wishes = "k=20&filter=price%3C20&exclude_seen=false&fresh=true&include_new_items=true"
    assert server.asked[0].path == f"/v1/datasets/d/recommendations/u?{wishes}"


def test_a_session_is_asked_about_again_after_a_refusal_and_its_body_is_whole() -> None:
    answers = (Answer(503, {}, {"Retry-After": "0"}), Answer(200, {"items": [{"item_id": "x"}]}))
    with scripted(*answers) as server, Client(server.url, "k") as client:
        answer = client.recommend_session("d", items=["a/1"], text="sea", k=3, explain=True)
    assert answer["items"] == [{"item_id": "x"}]
    assert [one.path for one in server.asked] == ["/v1/datasets/d/recommendations:session"] * 2
    body = {"items": ["a/1"], "text": "sea", "k": 3, "explain": True}
    assert [json.loads(one.body) for one in server.asked] == [body] * 2


def test_a_batch_gives_a_list_a_user_and_likeness_a_list() -> None:
    rows = [{"user_id": "u", "items": []}]
    answers = (Answer(200, {"recommendations": rows}), Answer(200, {"items": [{"item_id": "x"}]}))
    with scripted(*answers) as server, Client(server.url, "k") as client:
        assert client.recommend_batch("d", ["u"], k=2) == rows
        assert client.similar("d", "a/1", by="semantic", k=4, graph="raw") == [{"item_id": "x"}]
    assert json.loads(server.asked[0].body) == {"user_ids": ["u"], "k": 2}
    assert server.asked[1].path == "/v1/datasets/d/items/a%2F1/similar?by=semantic&k=4&graph=raw"


def test_the_key_goes_along() -> None:
    with scripted(Answer(200, {})) as server, Client(server.url, "wn_a_b") as client:
        client.dataset("d")
    assert server.asked[0].headers["authorization"] == "Bearer wn_a_b"


def test_pages_are_followed_to_the_end() -> None:
    pages = (
        Answer(200, {"verdicts": [{"item_id": "1"}, {"item_id": "2"}], "next_page_token": "t/1"}),
        Answer(200, {"verdicts": [{"item_id": "3"}], "next_page_token": None}),
    )
    with scripted(*pages) as server, Client(server.url, "k") as client:
        rows = list(client.verdicts("d", run="r", verdict="noise"))
    assert [row["item_id"] for row in rows] == ["1", "2", "3"]
    assert "page_token=t%2F1" in server.asked[1].path
    assert "page_token" not in server.asked[0].path


def test_a_file_is_streamed_as_it_lies_and_again_after_a_refusal(tmp_path: Path) -> None:
    packed = gzip.compress(b"user_id,item_id\nu,i\n")
    path = tmp_path / "x.csv.gz"
    path.write_bytes(packed)
    with (
        scripted(BUSY, Answer(202, {"id": "job"})) as server,
        Client(server.url, "k", sleep=lambda _: None) as client,
    ):
        client.upload("d", "interactions", path, content_type="text/csv", content_encoding="gzip")
    assert [asked.body for asked in server.asked] == [packed, packed]
    assert server.asked[1].path == "/v1/datasets/d/imports?kind=interactions"
    assert server.asked[1].headers["content-type"] == "text/csv"
    assert server.asked[1].headers["content-encoding"] == "gzip"


@pytest.mark.parametrize("source", [io.BytesIO(b"abc"), iter([b"a", b"bc"])])
def test_a_stream_is_sent_once_only(source: io.BytesIO) -> None:
    with (
        scripted(BUSY) as server,
        Client(server.url, "k") as client,
        pytest.raises(ApiError, match="503"),
    ):
        client.upload("d", "users", source, content_type="application/x-ndjson")
    assert [asked.body for asked in server.asked] == [b"abc"]


def test_waiting_tells_every_state_and_returns_the_last() -> None:
    states = [{"id": "j", "state": state} for state in ("queued", "running", "succeeded")]
    seen: list[str] = []
    with (
        scripted(*(Answer(200, state) for state in states)) as server,
        Client(server.url, "k", sleep=lambda _: None) as client,
    ):
        job = client.wait("j", lambda job: seen.append(job["state"]))
    assert job["state"] == "succeeded"
    assert seen == ["queued", "running", "succeeded"]


def test_a_failed_job_raises_with_its_reason() -> None:
    failed = {"id": "j", "kind": "run", "state": "failed", "error": {"detail": "No edges left."}}
    with (
        scripted(Answer(200, failed)) as server,
        Client(server.url, "k") as client,
        pytest.raises(JobFailedError, match=r"run j failed: No edges left\.") as caught,
    ):
        client.wait("j")
    assert caught.value.job == failed


def test_bulk_calls_and_deletion_use_the_methods_of_the_contract() -> None:
    answers = (Answer(200, {}), Answer(200, {}), Answer(207, {"accepted": 1}), Answer(204))
    with scripted(*answers) as server, Client(server.url, "k") as client:
        client.put_users("d", [{"id": "u"}])
        client.put_items("d", [{"id": "i"}])
        assert client.post_interactions("d", [{"user_id": "u", "item_id": "i"}])["accepted"] == 1
        assert client.delete_dataset("d") is None
    assert [(asked.method, asked.path) for asked in server.asked] == [
        ("PUT", "/v1/datasets/d/users"),
        ("PUT", "/v1/datasets/d/items"),
        ("POST", "/v1/datasets/d/interactions"),
        ("DELETE", "/v1/datasets/d"),
    ]


def test_retry_after_is_read_in_both_forms() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert retry_after(httpx.Response(503, headers={"Retry-After": "12"})) == 12.0
    assert retry_after(httpx.Response(503, headers={"Retry-After": later})) == pytest.approx(
        30, abs=2
    )
    assert retry_after(httpx.Response(503, headers={"Retry-After": "soon"})) is None
    assert Retry(cap=5.0).wait(0, httpx.Response(503, headers={"Retry-After": "900"})) == 5.0


def test_the_client_imports_nothing_of_ours() -> None:
    allowed = sys.stdlib_module_names | {"httpx", "winnow_client"}
    for path in Path(winnow_client.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            else:
                continue
            assert {name.split(".")[0] for name in names} <= allowed, path


@pytest.mark.parametrize(
    ("name", "kind", "encoding"),
    [
        ("log.csv", "text/csv", None),
        ("log.v2.CSV.gz", None, None),
        ("users.ndjson.gz", "application/x-ndjson", "gzip"),
        ("items.jsonl", "application/x-ndjson", None),
        ("items.parquet", "application/vnd.apache.parquet", None),
        ("log.csv.zst", "text/csv", "zstd"),
        ("Books_5.json.gz", "application/x-ndjson", "gzip"),
        ("ml-1m.inter", "text/csv", None),
        ("ml-1m.item.zst", "text/csv", "zstd"),
        ("u.data", "text/csv", None),
        ("ratings.dat", "text/csv", None),
        ("ratings.tsv", "text/csv", None),
        ("log.xlsx", None, None),
        ("log.csv.bz2", None, None),
    ],
)
def test_a_path_tells_its_type_by_its_ending_or_is_asked_for_it(
    tmp_path: Path, name: str, kind: str | None, encoding: str | None
) -> None:
    path = tmp_path / name
    path.write_bytes(b"x")
    with scripted(Answer(202, {"id": "j"})) as server, Client(server.url, "k") as client:
        if kind is None:
            with pytest.raises(ValueError, match="content_type"):
                client.upload("d", "interactions", path)
            return
        client.upload("d", "interactions", path)
    (asked,) = server.asked
    assert asked.headers["content-type"] == kind
    assert asked.headers.get("content-encoding") == encoding


def test_an_upload_says_whose_file_it_is_and_whether_it_only_rehearses(tmp_path: Path) -> None:
    path = tmp_path / "ml-1m.inter"
    path.write_bytes(b"x")
    job = Answer(202, {"id": "j"})
    with scripted(job, job) as server, Client(server.url, "k") as client:
        client.upload("d", "interactions", path, mapping="recbole", validate_only=True)
        client.upload("d", "interactions", path, mapping={"value": "stars:float"})
    imports = "/v1/datasets/d/imports?kind=interactions"
    assert [asked.path for asked in server.asked] == [
        f"{imports}&mapping=recbole&validate_only=true",
        f"{imports}&map.value=stars%3Afloat",
    ]


def test_promote_posts_to_the_models_verb() -> None:
    with scripted(Answer(200, {"served": True})) as server, Client(server.url, "k") as client:
        assert client.promote("m/1") == {"served": True}
    assert (server.asked[0].method, server.asked[0].path) == ("POST", "/v1/models/m%2F1:promote")


def test_a_persons_word_is_set_read_and_withdrawn_at_its_pair() -> None:
    answers = (Answer(200, {"person": {}}), Answer(200, {}), Answer(204), Answer(207, {}))
    with scripted(*answers) as server, Client(server.url, "k") as client:
        assert client.set_verdict("d", "a/b", "..", "noise", note="why") == {"person": {}}
        client.verdict("d", "a/b", "..")
        client.withdraw_verdict("d", "a/b", "..", author="ada b")
        client.set_verdicts("d", [{"user_id": "u", "item_id": "i", "verdict": None}])
    pair = "/v1/datasets/d/verdicts/a%2Fb/%2E%2E"
    assert [(asked.method, asked.path) for asked in server.asked] == [
        ("PUT", pair),
        ("GET", pair),
        ("DELETE", f"{pair}?author=ada+b"),
        ("POST", "/v1/datasets/d/verdicts:batch"),
    ]
    assert server.asked[0].json() == {"verdict": "noise", "note": "why"}
    assert server.asked[3].json() == {
        "verdicts": [{"user_id": "u", "item_id": "i", "verdict": None}]
    }
    assert server.asked[3].headers["idempotency-key"]


def test_what_is_served_is_chosen_and_gone_back_to() -> None:
    answers = [Answer(200, {}) for _ in range(4)]
    with scripted(*answers) as server, Client(server.url, "k") as client:
        client.promote("m", graph="raw", author="ada")
        client.rollback("d")
        client.undo_refinement("m", note="too much")
        client.redo_refinement("m")
    assert [(asked.method, asked.path, asked.json()) for asked in server.asked] == [
        ("POST", "/v1/models/m:promote", {"graph": "raw", "author": "ada"}),
        ("POST", "/v1/datasets/d:rollback", {}),
        ("POST", "/v1/models/m:undo-refinement", {"note": "too much"}),
        ("POST", "/v1/models/m:redo-refinement", {}),
    ]
    assert all("idempotency-key" in asked.headers for asked in server.asked[1:])


def test_the_audit_log_is_read_to_its_end() -> None:
    pages = (
        Answer(200, {"entries": [{"id": "1"}], "next_page_token": "t"}),
        Answer(200, {"entries": [{"id": "2"}], "next_page_token": None}),
    )
    with scripted(*pages) as server, Client(server.url, "k") as client:
        assert [entry["id"] for entry in client.audit(action="key.create")] == ["1", "2"]
    assert server.asked[0].path == "/v1/audit?action=key.create"


def test_a_key_that_no_header_can_carry_is_refused_unquoted() -> None:
    for key in ("wn_é_secret", "wn_a\nsecret"):
        with pytest.raises(ValueError, match="the key holds a character") as caught:
            Client("http://127.0.0.1:1", key)
        assert "secret" not in str(caught.value)


def test_a_cancelled_job_is_told_as_stopped() -> None:
    cancelled = {"id": "j", "kind": "run", "state": "cancelled", "error": None}
    with (
        scripted(Answer(200, cancelled)) as server,
        Client(server.url, "k") as client,
        pytest.raises(JobFailedError, match="run j cancelled: somebody asked it to stop"),
    ):
        client.wait("j")


def test_a_file_of_unknown_type_is_refused_by_its_name() -> None:
    with (
        Client("http://127.0.0.1:1", "k") as client,
        pytest.raises(ValueError, match=r"^afile: .*content_type"),
    ):
        client.upload("d", "users", "afile")


@pytest.mark.parametrize("verb", ["pause", "resume", "retry"])
def test_a_job_is_steered_by_its_id(verb: str) -> None:
    job = {"id": "a/b", "state": "paused"}
    with scripted(Answer(200, job)) as server, Client(server.url, "k") as client:
        assert getattr(client, verb)("a/b") == job
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("POST", f"/v1/jobs/a%2Fb:{verb}")


def test_a_paused_job_is_waited_for_and_its_reason_is_shown() -> None:
    pause = {"code": "LLM_AWAY", "detail": "The LLM's endpoint is away.", "retry_at": "soon"}
    answers = [
        Answer(200, {"id": "j", "kind": "run", "state": state, "pause": why})
        for state, why in (("paused", pause), ("running", None), ("succeeded", None))
    ]
    seen: list[object] = []
    with scripted(*answers) as server, Client(server.url, "k", sleep=lambda _: None) as client:
        client.wait("j", lambda job: seen.append(job["pause"]))
    assert seen == [pause, None, None]
