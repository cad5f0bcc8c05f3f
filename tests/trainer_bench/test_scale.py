"""The bench of scale: generated pairs, a child process a size, a table and a plot."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from services.trainer.bench import scale
from services.trainer.bench.generated import generated


def test_generated_pairs_are_as_many_as_asked_for_distinct_and_the_same_again() -> None:
    found, again, other = generated(6000, seed=1), generated(6000, seed=1), generated(6000, seed=2)
    assert (len(found), found.n_users, found.n_items) == (6000, 240, 100)
    assert np.array_equal(found.keys(), again.keys())
    assert not np.array_equal(found.keys(), other.keys())


def test_generated_degrees_fall_by_a_power() -> None:
    degrees = np.sort(generated(60_000, seed=1).item_degrees())[::-1]
    # rank^-.6: the 200th of 1000 has 10^-.6 = .25 of the 20th's, repeated pairs left out
    assert degrees[199] / degrees[19] == pytest.approx(10**-0.6, rel=0.2)
    assert degrees.min() > 0


@pytest.mark.parametrize(("peak", "verdict"), [(11.9, "MET"), (12.1, "MISSED")])
def test_the_claim_is_of_thirty_million(peak: float, verdict: str) -> None:
    rows = [{"edges": n, "GiB at the peak": peak} for n in (1e6, 3e7)]
    assert scale._claim(rows) == f"- {verdict}: 30,000,000 pairs within 12 GiB ({peak:.2f})"


def test_the_command_measures_a_size_in_a_process_of_its_own(tmp_path: Path) -> None:
    words = ["--out", str(tmp_path), "--size", "10000"]
    done = CliRunner().invoke(scale.command, words)
    assert done.exit_code == 0, done.output
    assert "- NOT MEASURED: 30,000,000 pairs within 12 GiB" in done.stdout
    assert "| 10,000 | 400 | 166 | 20 |" in done.stdout
    rows = (tmp_path / scale.CSV).read_text().splitlines()
    assert len(rows) == 2
    has_plot = importlib.util.find_spec("matplotlib") is not None
    assert (tmp_path / scale.PLOT).exists() == has_plot
    again = CliRunner().invoke(scale.command, words)
    assert again.stdout == done.stdout
