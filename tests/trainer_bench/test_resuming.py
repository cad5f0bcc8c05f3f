"""The last words of a bench: after Ctrl-C that it goes on, after its table where the files lie."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from services.trainer.bench import resuming, table1, table2
from services.trainer.bench.__main__ import main

FIRST = {
    "bookshop": "shops.run",
    "detect": "detect.corpus.read",
    "noise": "noise.corpus.read",
    "rate": "rate.corpus.read",
    "scale": "scale.run",
    "speed": "speed.published.parts",
    **dict.fromkeys(("default", "sensitivity", "table1", "table2"), "table1.table_inputs.read"),
}
"""What each bench that keeps its cells calls first."""


@pytest.mark.parametrize("name", FIRST)
def test_an_interrupted_bench_says_that_the_same_command_goes_on(
    name: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"services.trainer.bench.__main__.{FIRST[name]}", interrupted)
    data = [] if name == "bookshop" else ["--data", str(folder)]
    found = CliRunner().invoke(main, [name, *data, "--out", str(tmp_path)])
    assert found.exit_code == 1
    assert [line for line in found.stderr.splitlines() if line] == [
        resuming.INTERRUPTED,
        "Aborted!",
    ]


def test_the_last_words_of_a_table_are_its_own_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("table1.md", "table1.csv", "table1-train.png", "table10.md", "table1.part", "noise.md")
    for name in names:
        (tmp_path / name).touch()
    resuming.show("| a table |", tmp_path, "table1")
    said = capsys.readouterr()
    assert said.out == "| a table |\n"
    files = (tmp_path / name for name in ("table1-train.png", "table1.csv", "table1.md"))
    assert said.err == f"files there: {', '.join(map(str, files))}\n"


def test_a_table_s_options_are_one_object_and_its_own_follow() -> None:
    shared = {option.name for option in table2.command.params}
    assert shared == {
        "data",
        "out",
        "seeds",
        "ratings",
        "users",
        "only",
        "epochs",
        "budget_minutes",
    }
    own = {option.name for option in table1.command.params} - shared
    assert own == {"protocol"}
    assert isinstance(table1.command, click.Command)
