"""The peers' bench on a generated shop, through its command line."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner, Result

from services.recsys.closed_forms import Ease, GfCf, Popularity
from services.recsys.evaluate import evaluate
from services.shared.errors import InvalidError
from services.trainer.bench import ials, peers, published
from services.trainer.bench.__main__ import INCOMPLETE, main
from winnow.bookshop.files import write_shop
from winnow.bookshop.shop import make_shop
from winnow.demo.peers import parse_peers, shop_for_bench

SHOP_SEED = 11


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("peers")
    write_shop(make_shop(SHOP_SEED, readers=80, books=100), base / "shop", seed=SHOP_SEED)
    return shop_for_bench(base / "shop", base / "data")


@pytest.fixture(scope="module")
def told(folder: Path) -> Result:
    done = CliRunner().invoke(main, ["peers", "--data", str(folder), "--json"])
    assert done.exit_code == 0, done.output
    return done


def test_the_last_line_is_json_with_a_row_per_peer(told: Result) -> None:
    rows = {row["name"]: row for row in parse_peers(told.stdout)}
    wanted = {"popularity", "ItemKNN", "GF-CF", "EASE"} | ({"iALS"} if ials.installed() else set())
    assert set(rows) == wanted
    for row in rows.values():
        assert {"recall@10", "ndcg@10", "recall@20", "ndcg@20", "fit_seconds"} <= set(row)


def test_rows_are_what_evaluate_says_of_the_closed_forms(folder: Path, told: Result) -> None:
    split = published.read(folder)
    answer = json.loads(told.stdout.strip().splitlines()[-1])
    by_train = {row["name"]: row for row in answer["rows"]}
    lam = float(by_train["EASE"]["setting"].split()[1])
    k, w = (float(part.split()[1]) for part in by_train["GF-CF"]["setting"].split(","))
    models = {"EASE": Ease(lam=lam), "GF-CF": GfCf(k=int(k), w=w), "popularity": Popularity()}
    for name, model in models.items():
        fitted = model.fit(split.train)
        means = evaluate(fitted.score_block, split.test, mask=split.train).means()
        for metric in ("recall@10", "ndcg@10", "recall@20", "ndcg@20"):
            assert by_train[name][metric] == pytest.approx(means[metric], abs=1e-12)
    both = split.train.union(split.val)
    second = {row["name"]: row for row in answer["rows_train_val"]}
    means = evaluate(Popularity().fit(both).score_block, split.test, mask=both).means()
    assert second["popularity"]["recall@20"] == pytest.approx(means["recall@20"], abs=1e-12)


def test_the_two_protocols_stand_in_two_tables(told: Result) -> None:
    first, second = told.stdout.index("Trained on train;"), told.stdout.index("train and val;")
    assert first < second
    assert told.stdout.count("| popularity |") == 2


def test_the_setting_is_the_one_that_validation_ranks_first(folder: Path) -> None:
    split = published.read(folder)
    trials = peers.grids(seed=0)["EASE"]
    values = [
        evaluate(trial.make().fit(split.train).score_block, split.val, mask=split.train).means()[
            "recall@20"
        ]
        for trial in trials
    ]
    assert peers.choose(split, trials) is trials[int(np.argmax(values))]


@pytest.mark.skipif(ials.installed(), reason="bench.lock is installed")
def test_a_missing_library_is_one_sentence_and_an_exit_code_of_its_own(folder: Path) -> None:
    done = CliRunner().invoke(main, ["peers", "--data", str(folder), "--require-all"])
    assert done.exit_code == INCOMPLETE
    assert done.stderr.strip() == ials.ABSENT


@pytest.mark.skipif(not ials.installed(), reason="needs requirements/bench.lock")
def test_ials_repeats_itself_and_beats_popularity(folder: Path) -> None:
    split = published.read(folder)
    users = np.arange(split.train.n_users)
    first, second = (ials.IAls(factors=8, seed=3).fit(split.train) for _ in range(2))
    assert np.array_equal(first.score_block(users), second.score_block(users))
    ours, plain = (
        evaluate(model.score_block, split.val, mask=split.train).means()["recall@20"]
        for model in (first, Popularity().fit(split.train))
    )
    assert ours > plain


def test_a_folder_without_the_columns_or_with_a_pair_in_two_parts_is_refused(
    tmp_path: Path,
) -> None:
    with pytest.raises(InvalidError, match=r"no interactions\.parquet"):
        published.read(tmp_path)
    pl.DataFrame({"user_id": [1], "item_id": [1]}).write_parquet(tmp_path / published.FILE)
    with pytest.raises(InvalidError, match="no column split"):
        published.read(tmp_path)
    rows = {"user_id": [1, 1], "item_id": [5, 5], "split": ["train", "test"]}
    pl.DataFrame(rows).write_parquet(tmp_path / published.FILE)
    with pytest.raises(InvalidError, match="a pair in two parts"):
        published.read(tmp_path)
