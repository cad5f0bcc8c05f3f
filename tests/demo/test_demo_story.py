"""The demo against a stand-in of the API on a real socket."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fake_api import serving, verdict
from rich.console import Console

from winnow.demo.failures import DemoError
from winnow.demo.sources import Source, bookshop, real_data
from winnow.demo.story import Told, farewell, price, tell

ROOT = Path(__file__).parents[2]
ROWS = [
    verdict("u1", "i1", "noise", score=0.9),
    verdict("u1", "i2", "hard", score=0.5, labels="HH"),
]


def told_by(source: Source, scratch: Path) -> tuple[str, dict[str, bytes], dict[str, object], Told]:
    console = Console(file=io.StringIO(), width=200)
    with serving(ROWS) as api:
        told = tell(
            console,
            api_url=api.url,
            operator_key="op",
            source=source,
            seed=4,
            scratch=scratch,
            fit_peers=lambda _: [{"name": "EASE", "recall@20": 0.21, "ndcg@20": 0.1}],
        )
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue(), api.uploads, api.run_spec, told


def data_folder(folder: Path) -> Path:
    folder.mkdir()
    edges = {"user_id": [0, 0, 1], "item_id": [7, 8, 7], "split": ["train", "val", "test"]}
    pq.write_table(pa.table(edges), folder / "interactions.parquet")
    items = [
        {"id": 7, "text": "A murder, solved", "title": None, "title_guess": "Guess"},
        {"id": 8, "text": "Stars — far", "title": "Far"},
    ]
    users = [{"id": 0, "text": "likes crime"}, {"id": 1, "text": "likes space"}]
    for name, rows in (("items", items), ("users", users)):
        with gzip.open(folder / f"{name}.jsonl.gz", "wt", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return folder


def test_real_data_are_uploaded_in_the_form_of_the_contract(tmp_path: Path) -> None:
    source = real_data(data_folder(tmp_path / "books"))
    _, uploads, spec, _ = told_by(source, tmp_path / "peers")
    assert uploads["interactions"] == b"user_id,item_id,split\n0,7,train\n0,8,val\n1,7,test\n"
    items = [json.loads(line) for line in uploads["items"].decode().splitlines()]
    assert items == [
        {"id": "7", "text": "A murder, solved", "title_guess": "Guess"},
        {"id": "8", "text": "Stars — far", "title": "Far"},
    ]
    assert [json.loads(line)["id"] for line in uploads["users"].splitlines()] == ["0", "1"]
    assert spec["budget_pairs"] == 20_000
    assert (spec["method"], spec["seed"]) == ("llmhni", 4)
    assert source.titles == {"7": "Guess", "8": "Far"}


def test_the_story_shows_metrics_reasons_lists_and_the_catch(tmp_path: Path) -> None:
    source = bookshop(tmp_path / "shop", seed=1)
    shown, uploads, _, told = told_by(source, tmp_path / "peers")
    assert uploads["interactions"].startswith(b"user_id,item_id,type,value,timestamp,split\n")
    assert "truth" not in uploads
    assert "Uploaded users: 3 accepted, 0 duplicates, 0 rejected." in shown
    assert "test recall@20 0.2000 0.2200 +10.0 %" in " ".join(shown.split())
    assert "EASE" in shown
    assert "Low: user reason for i1" in shown
    assert "High: item reason for i2" in shown
    assert "The two views agree on 75% of the pairs." in shown
    assert "item degree alone" in shown
    assert "i3 *" in shown  # only the denoised list has it
    assert told == Told(
        project_id="project-1", key="wn_fake_key", dataset_id="dataset-1", user_id="u1"
    )


def test_a_folder_without_the_files_is_named(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match=r"items\.jsonl\.gz, users\.jsonl\.gz not found there"):
        (tmp_path / "interactions.parquet").touch()
        real_data(tmp_path)


def test_the_farewell_can_be_pasted() -> None:
    told = Told(project_id="p-1", key="wn_k", dataset_id="d-1", user_id="a/b")
    lines = farewell("http://127.0.0.1:1", told, keep=True)
    assert lines[0] == "API docs: http://127.0.0.1:1/docs"
    curls = [line for line in lines if line.startswith("curl ")]
    assert len(curls) == 3
    assert "It may read and write in the project p-1." in lines
    assert all("-H 'Authorization: Bearer wn_k'" in line for line in curls)
    assert "/v1/datasets/d-1/recommendations/a%2Fb?k=5" in curls[0]


def test_the_price_is_told_in_minutes_and_gibibytes() -> None:
    assert price(245.0, 3 << 29) == "Took 4 min 05 s and at most 1.50 GiB (summed PSS)."


def test_a_wrong_folder_ends_the_command_with_one_sentence(tmp_path: Path) -> None:
    path = f"{ROOT}:{ROOT / 'clients/python'}"
    done = subprocess.run(
        [sys.executable, "-m", "winnow.demo", "--data", str(tmp_path / "nowhere")],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"PYTHONPATH": path, "PATH": os.defpath},
    )
    assert done.returncode == 1
    assert done.stderr.startswith("The demo stopped: ")
    assert "is no data folder" in done.stderr
    assert "Traceback" not in done.stderr
