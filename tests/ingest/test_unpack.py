"""Packed files: cut off, damaged, too good to be true; and the process that reads them."""

import gzip
import zlib
from pathlib import Path

import pytest

from services.api.ingest import child
from services.api.ingest.unpack import blocks
from services.shared.errors import JobCancelledError, MalformedError, RetryLaterError
from tests.ingest.files import Files, plan_for

HEADER = b"user_id,item_id\n"


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_several_members_are_one_file(files: Files) -> None:
    body = gzip.compress(HEADER + b"a,i\n") + gzip.compress(b"b,i\n")
    assert files.parse(body, compression="gzip").accepted == 2


@pytest.mark.parametrize("kept", [5, 2_000, -5])
def test_a_cut_off_gzip_is_told(files: Files, kept: int) -> None:
    whole = gzip.compress(HEADER + b"".join(b"u%d,i%d\n" % (n, n * n) for n in range(5_000)))
    failure = files.parse(whole[:kept], compression="gzip").failure
    assert failure is not None
    assert failure["code"] == "TRUNCATED"


def test_a_damaged_gzip_is_told(files: Files) -> None:
    body = bytearray(gzip.compress(HEADER + b"u,i\n" * 1000))
    body[-6] ^= 255  # in the checksum
    assert (files.parse(bytes(body), compression="gzip").failure or {})["code"] == "BAD_GZIP"
    assert (files.parse(HEADER, compression="gzip").failure or {})["code"] == "BAD_GZIP"


def test_a_bomb_is_not_read_to_its_end(files: Files) -> None:
    packer = zlib.compressobj(wbits=31)
    body = packer.compress(HEADER + (b"u" * 250 + b",i\n") * 160_000) + packer.flush()
    assert 40_000_000 / len(body) > 240
    outcome = files.parse(body, compression="gzip")
    assert (outcome.failure or {})["code"] == "UNPACK_RATIO"
    assert outcome.accepted + outcome.duplicates < 140_000


def test_the_parsers_process_parses(tmp_path: Path) -> None:
    outcome = child.run(plan_for(tmp_path, HEADER + b"u,i\n"), watch=lambda: None)
    assert (outcome.accepted, outcome.failure) == (1, None)
    assert not any("WINNOW" in name for name in child.environment())


def test_a_parser_without_memory_breaks_alone(tmp_path: Path) -> None:
    plan = plan_for(tmp_path, HEADER + b"u,i\n", bounds={"memory_bytes": 50_000_000})
    with pytest.raises(RetryLaterError, match="The parser ended with"):
        child.run(plan, watch=lambda: None)


def test_a_parser_ends_when_nobody_wants_it_any_more(tmp_path: Path) -> None:
    def cancelled() -> None:
        raise JobCancelledError("enough")

    body = HEADER + b"".join(b"u%d,i\n" % n for n in range(1_500_000))
    plan = plan_for(tmp_path, body, bounds={"rows": 10_000_000})
    with pytest.raises(JobCancelledError):
        child.run(plan, watch=cancelled)
    assert not (tmp_path / "target" / "outcome.json").exists()


def test_gzip_that_is_not_called_gzip_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "packed"
    path.write_bytes(gzip.compress(b"user_id,item_id\n"))
    with pytest.raises(MalformedError, match="Content-Encoding: gzip"):
        list(blocks(path, compression=None, limit=1000, ratio=10))
