"""The sentences beside the demo's tables, by hand: there when the figures say so, else not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from fake_api import REPORT, card, verdict

from winnow.demo import remarks
from winnow.demo.caught import Catch, Finder, rated_by_stand_in
from winnow.demo.story import Told, farewell

ROOT = Path(__file__).parents[2]


def finder(name: str, auc: float) -> Finder:
    return Finder(name=name, auc_rated=auc, auc_all=auc, precision=0.5, recall=0.5)


CATCH = Catch(
    finders=(finder("both views' ratings", 0.66), finder("the score", 0.72), finder("items", 0.5)),
    edges=100,
    noise=20,
    rated=40,
    rated_noise=15,
    flagged=12,
    side_rated=400,
    side_flagged=167,
)


def test_a_row_that_ranks_better_than_the_ratings_is_named() -> None:
    notes = remarks.catch_notes(CATCH, stand_in=True)
    assert (
        "Here the score (0.72) ranks the rated edges better than the ratings do (AUC 0.66): "
        "the stand-in that rated is no language model."
    ) in notes
    *_, bare, _ = remarks.catch_notes(CATCH, stand_in=False)
    assert bare.endswith("(AUC 0.66).")


def test_ratings_that_rank_best_are_not_belittled() -> None:
    best = replace(CATCH, finders=(finder("ratings", 0.9), *CATCH.finders[1:]))
    assert not [note for note in remarks.catch_notes(best, stand_in=True) if "better" in note]


def test_hard_positives_are_counted_by_what_went_wrong() -> None:
    *_, last = remarks.catch_notes(CATCH, stand_in=True)
    assert last == (
        "167 of 400 rated side-interest purchases were wrongly called noise (42 %)."  # 41.75
    )


def test_the_local_rater_is_known_by_its_reasons() -> None:
    row = verdict("u", "i", "noise", score=0.1)
    assert not rated_by_stand_in([row, row | {"ratings": None}])
    view = {"label": "Low", "reason": "Local rater (text similarity, no LLM): because."}
    assert rated_by_stand_in([row | {"ratings": {"user": None, "item": view}}])


def test_a_denoised_model_below_raw_is_said_plainly() -> None:
    low = {"recall@20": 0.19}
    worse = card()
    worse["metrics"]["denoised"] = {"val": low, "test": low}
    worse["default_graph"] = "raw"
    assert remarks.metric_notes(worse, generated=False) == [
        (
            "Denoised is BELOW raw in Recall@20 on validation (0.1900 against 0.2000) and "
            "test (0.1900 against 0.2000)."
        ),
        "Served: the raw graph's lists, chosen on validation Recall@20.",
    ]


def test_a_gain_comes_with_its_caveat_on_the_generated_shop_only() -> None:
    served = "Served: the denoised graph's lists, chosen on validation Recall@20."
    assert remarks.metric_notes(card(), generated=False) == [served]
    assert remarks.metric_notes(card(), generated=True) == [served, remarks.ONE_SHOP]
    assert (ROOT / "docs/bench.md").is_file()  # where the caveat points


@pytest.mark.parametrize(
    ("dropped", "why"),
    [
        (100, "20 of the 120 edges called noise are kept by the cap of 10 % of the edges"),
        (99, "21 of the 120 edges called noise are kept: a user's last edge"),
        (120, None),
    ],
)
def test_noise_that_stays_is_explained(dropped: int, why: str | None) -> None:
    totals = REPORT["totals"] | {"edges": 1_000, "flagged": 120, "dropped": dropped}
    lines = remarks.report_lines(REPORT | {"totals": totals}, card())
    kept = [line for line in lines if "are kept" in line]
    assert [line.startswith(why or "") for line in kept] == ([True] if why else [])


def test_peers_above_both_graphs_are_named() -> None:
    rows: list[dict[str, float | str]] = [
        {"name": name, "recall@20": value, "ndcg@20": 0.1}
        for name, value in (("EASE", 0.25), ("ItemKNN", 0.3), ("popularity", 0.1))
    ]
    assert remarks.peer_notes(rows, card()) == [
        "On these data ItemKNN and EASE stand above both of our graphs in Recall@20."
    ]
    assert remarks.peer_notes(rows[2:], card()) == []


def test_without_keep_no_key_of_a_stack_that_went_down_is_printed() -> None:
    lines = farewell(
        "http://h", Told(project_id="p", key="wn_k", dataset_id="d", user_id="u"), keep=False
    )
    assert lines == ["KEEP=1 keeps it up and prints a key and three curl lines."]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_is_answered_at_once(number: signal.Signals) -> None:
    code = (
        "import signal, time\n"
        "from winnow.demo.__main__ import _stopping\n"
        f"signal.signal({int(number)}, _stopping)\n"
        "print('ready', flush=True)\n"
        "try:\n    time.sleep(60)\n"
        "except KeyboardInterrupt:\n    time.sleep(60)\n"  # a slow end: told before it is done
    )
    env = {"PYTHONPATH": f"{ROOT}:{ROOT / 'clients/python'}", "PATH": os.defpath}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.readline()
        child.send_signal(number)
        said = child.stderr.readline().decode()
        child.kill()
    assert said == "Stopping …\n"
