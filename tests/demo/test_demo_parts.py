"""The demo's arithmetic and pictures, by hand."""

from __future__ import annotations

import io
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from fake_api import card, run_job, verdict
from rich.console import Console, RenderableType

from winnow.bookshop.files import write_shop
from winnow.bookshop.shop import make_shop
from winnow.demo import render
from winnow.demo.caught import account, doubt
from winnow.demo.choices import SideBySide, flagged, most_changed, most_flagged_users
from winnow.demo.detection import auc, expected_hits
from winnow.demo.failures import DemoError
from winnow.demo.memory import PeakMemory, family_pss
from winnow.demo.peers import parse_peers, peers, shop_for_bench
from winnow.demo.progress import Watch, board, duration, eta_seconds, overall, plain_line

TRUTH = {
    ("u1", "rare"): "misclick",
    ("u1", "hit"): "popular",
    ("u1", "b"): "taste",
    ("u2", "b"): "side",
    ("u2", "hit"): "taste",
    ("u3", "hit"): "taste",
}


def printed(what: RenderableType) -> str:
    console = Console(file=io.StringIO(), width=160)
    console.print(what)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_auc_counts_pairs_and_half_of_ties() -> None:
    suspicion = np.array([3.0, 1.0, 1.0, 0.0])
    noise = np.array([True, True, False, False])
    # pairs: 3>1, 3>0, 1=1 (a half), 1>0: 3.5 of 4
    assert auc(suspicion, noise) == pytest.approx(3.5 / 4)
    assert math.isnan(auc(suspicion, np.ones(4, dtype=bool)))


def test_auc_equals_the_slow_count_on_random_values() -> None:
    rng = np.random.default_rng(5)
    suspicion, noise = rng.integers(0, 6, 60).astype(float), rng.random(60) < 0.3
    pairs = [(p > n) + 0.5 * (p == n) for p in suspicion[noise] for n in suspicion[~noise]]
    assert auc(suspicion, noise) == pytest.approx(sum(pairs) / len(pairs))


def test_hits_at_a_cut_inside_a_tie_are_their_expectation() -> None:
    suspicion = np.array([2.0, 1.0, 1.0, 1.0, 0.0])
    noise = np.array([True, True, False, False, True])
    # one above; of the three equal ones two are taken, a third of them is noise
    assert expected_hits(suspicion, noise, 3) == pytest.approx(1 + 2 / 3)
    assert expected_hits(suspicion, noise, 0) == 0.0
    assert expected_hits(suspicion, noise, 99) == 3.0


def test_the_account_by_hand() -> None:
    verdicts = [
        verdict("u1", "rare", "noise", score=-0.9, labels="LL"),
        verdict("u1", "hit", "unsure", score=-0.8, labels="MM"),
        verdict("u1", "b", "noise", score=-0.7, labels="ML"),
        verdict("u2", "b", "hard", score=-0.6, labels="HH"),
        verdict("u9", "new", "hard", score=0.5, labels="HH") | {"edge": False},
    ]
    catch = account(TRUTH, verdicts)
    assert (catch.edges, catch.noise, catch.rated, catch.rated_noise) == (6, 2, 4, 2)
    assert (catch.flagged, catch.side_rated, catch.side_flagged) == (2, 1, 0)
    ours, score, item, user = catch.finders
    assert (ours.precision, ours.recall) == (0.5, 0.5)
    # doubts of noise 4 and 2 against 3 and 0 of the true: three pairs of four
    assert ours.auc_rated == pytest.approx(0.75)
    # all edges: two more true ones below every rated edge: seven of eight
    assert ours.auc_all == pytest.approx(7 / 8)
    assert (score.auc_rated, score.precision, score.recall) == (1.0, 1.0, 1.0)
    # degrees rare 1, b 2, hit 3; `rare` beats four true edges, the other ties with two: 5 of 8,
    # above a half, so the rarest come first: `rare` and one of the two `b`
    assert item.auc_all == pytest.approx(5 / 8)
    assert (item.precision, item.recall) == (0.5, 0.5)
    # the busiest come first: u1 has three edges, two of them noise, and two of the three flagged
    assert user.precision == pytest.approx(2 / 3)


def test_a_missing_word_counts_as_no_evidence() -> None:
    row = verdict("u", "i", "unsure", score=0.1, labels="LL")
    assert doubt(row) == 4.0
    assert doubt(row | {"ratings": {"user": None, "item": row["ratings"]["item"]}}) == 3.0
    assert doubt(row | {"ratings": None}) == 2.0
    assert doubt(None) < 0


def test_flagged_rows_are_the_worst_of_different_users_first() -> None:
    rows = [
        verdict("u1", "a", "noise", score=0.1),
        verdict("u1", "b", "noise", score=0.2),
        verdict("u2", "c", "noise", score=0.7),
        verdict("u2", "d", "hard", score=0.0, labels="HH"),
    ]
    assert [row["item_id"] for row in flagged(rows, "noise", count=5)] == ["a", "c", "b"]
    assert most_flagged_users(rows) == ["u1", "u2"]


def test_the_user_whose_lists_differ_most_is_shown() -> None:
    lists = {
        ("a", "raw"): ("1", "2"),
        ("a", "denoised"): ("2", "1"),
        ("b", "raw"): ("1", "2"),
        ("b", "denoised"): ("3", "4"),
    }
    chosen = most_changed(["a", "b"], lambda user, graph: lists[user, graph])
    assert chosen == SideBySide(user_id="b", raw=("1", "2"), denoised=("3", "4"))
    assert most_changed([], lambda *_: ()) is None


def test_progress_is_the_mean_of_the_stages() -> None:
    job = run_job("running", 1)
    assert overall(job) == pytest.approx((1.0 + 0.5) / 2)
    assert eta_seconds(job, elapsed=30.0) == pytest.approx(10.0)
    assert eta_seconds(job | {"eta_seconds": 4}, elapsed=30.0) == 4.0
    line = plain_line(job, elapsed=30.0)
    assert line == "[30.0 s] 75% done, 10.0 s left: rate 50%"
    assert "snapshot" in printed(board(job, elapsed=30.0))


def test_durations_read_well() -> None:
    assert [duration(at) for at in (3.21, 245, 3_720)] == ["3.2 s", "4 min 05 s", "1 h 02 min"]


def test_without_a_terminal_only_news_is_printed() -> None:
    console = Console(file=io.StringIO(), width=100)
    with Watch(console) as watch:
        for job in (run_job("running", 0), run_job("running", 0), run_job("running", 1)):
            watch.show(job)
    assert isinstance(console.file, io.StringIO)
    assert len(console.file.getvalue().splitlines()) == 2


def test_a_terminal_gets_a_live_board_that_goes_away() -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    with Watch(console) as watch:
        watch.show(run_job("running", 1))


def test_peers_stand_sorted_beside_ours() -> None:
    rows = parse_peers('noise\n{"rows": [{"name": "EASE", "recall@20": 0.21, "ndcg@20": 0.1}]}')
    shown = printed(render.peers_table(rows, card()))
    order = [shown.index(name) for name in ("denoised graph", "EASE", "raw graph")]
    assert order == sorted(order)
    with pytest.raises(DemoError, match="printed no rows"):
        parse_peers("Traceback")


def test_the_bench_is_called_and_its_failure_is_a_sentence(tmp_path: Path) -> None:
    fake = tmp_path / "python"
    fake.write_text('#!/bin/sh\nshift 4\necho "{\\"rows\\": [{\\"name\\": \\"$1\\"}]}"\n')
    fake.chmod(0o755)
    assert peers(Path("/the/data"), python=str(fake)) == [{"name": "/the/data"}]
    fake.write_text("#!/bin/sh\necho Reason. >&2\nexit 3\n")
    with pytest.raises(DemoError, match=r"bench failed: Reason\."):
        peers(Path("/the/data"), python=str(fake))


def test_the_shop_is_written_for_the_bench_with_numbered_ids(tmp_path: Path) -> None:
    shop = make_shop(2, readers=20, books=96)
    write_shop(shop, tmp_path / "shop", seed=2)
    out = shop_for_bench(tmp_path / "shop", tmp_path / "bench")
    table = pq.read_table(out / "interactions.parquet").to_pylist()
    assert [(row["user_id"], row["item_id"], row["split"]) for row in table] == [
        (purchase.reader, purchase.book, purchase.split) for purchase in shop.purchases
    ]


def test_memory_counts_a_process_and_its_children() -> None:
    own = family_pss({os.getpid()})
    code = "import time; held = bytearray(64 << 20); print(1, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        with PeakMemory(every=0.01) as memory:
            memory.watch([child.pid])
        child.kill()
    assert memory.peak - own > 60 << 20


def test_titles_and_labels_are_shown_as_they_are() -> None:
    row = verdict("u", "i", "noise", score=1.0)
    shown = printed(render.flagged_table([row], {"i": "[bold]Odd[/] title"}, {}, "Flagged"))
    assert "[bold]Odd[/] title" in shown
    assert "truth" not in shown
    assert render.view_text(row | {"ratings": {"user": None}}, "user") == "no rating"


def test_the_truth_is_told_in_words_and_a_wrong_verdict_is_marked() -> None:
    assert render.truth_text("misclick", verdict="noise") == "planted: misclick"
    assert render.truth_text("taste", verdict="noise") == "true taste\n!! false alarm"
    assert render.truth_text("popular", verdict="hard") == "planted: by popularity\n!! missed"
    assert render.truth_text("side", verdict="hard") == "true side interest"
    assert render.truth_text("", verdict="noise") == "not in train"
    assert set(render.KINDS) == {purchase.kind for purchase in make_shop(2).purchases}


def test_the_star_has_a_legend_where_one_is_shown() -> None:
    same = SideBySide(user_id="u", raw=("1", "2"), denoised=("2", "1"))
    assert render.legend(same) == []
    other = SideBySide(user_id="u", raw=("1", "2"), denoised=("2", "3"))
    assert render.legend(other) == ["* only in this list, not in the other one."]


def test_a_title_wider_than_its_table_stays_on_one_line() -> None:
    lists = SideBySide(user_id="a-user-with-a-rather-long-name", raw=("1",), denoised=("2",))
    first = printed(render.side_by_side_table(lists, {})).splitlines()[0]
    assert first.strip() == "Top 1 of a-user-with-a-rather-long-name"


def test_a_curl_line_quotes_ids() -> None:
    lines = render.curl_lines("http://h", key="k", dataset_id="d", user_id="x y/z")
    assert "x%20y%2Fz" in lines[0]
    assert json.dumps(lines).count("curl -s -H") == 3
