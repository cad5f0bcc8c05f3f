"""A slice of the list file equals what a dict and json would have answered."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.shared.errors import ArtifactCorruptError, InvalidError
from services.shared.toplists import Entry, TopLists, write

IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
ENTRIES = st.lists(
    st.tuples(IDS, st.floats(-1e6, 1e6, width=32), st.lists(st.text(max_size=8), max_size=2)),
    max_size=6,
)
ROWS = st.dictionaries(IDS, ENTRIES, max_size=40)


def oracle(entries: list[Entry], k: int, *, explain: bool) -> list[dict[str, object]]:
    return [
        {
            "item_id": item_id,
            "score": float(f"{score:.7g}"),
            "rank": position + 1,
            "reasons": list(reasons) if explain else [],
        }
        for position, (item_id, score, reasons) in enumerate(entries)
        if position < k
    ]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=ROWS, popular=ENTRIES, stranger=IDS, length=st.integers(1, 8))
def test_every_top_k_of_every_user_equals_the_oracle(
    tmp_path: Path, rows: dict[str, list[Entry]], popular: list[Entry], stranger: str, length: int
) -> None:
    path = tmp_path / "lists.bin"
    assert write(path, rows.items(), length=length, popular=popular) == len(rows)
    with TopLists(path) as lists:
        assert (len(lists), list(lists.user_ids())) == (len(rows), list(rows))
        assert (stranger in lists) == (stranger in rows)
        for explain in (False, True):
            for k in range(length + 2):
                for user, entries in rows.items():
                    got = lists.fragment(user, k, explain=explain)
                    assert got is not None
                    wanted = oracle(entries[:length], k, explain=explain)
                    assert json.loads(b"[" + got + b"]") == wanted
                got = lists.popular(k, explain=explain)
                wanted = oracle(popular[:length], k, explain=explain)
                assert json.loads(b"[" + got + b"]") == wanted


def test_the_bytes_are_those_of_the_http_contract(tmp_path: Path) -> None:
    write(tmp_path / "l", [("ü/1", [("b:1", 0.1, ["r"]), ("b2", 2.0, [])])], length=5)
    with TopLists(tmp_path / "l") as lists:
        first = b'{"item_id":"b:1","score":0.1,"rank":1,"reasons":[]}'
        second = b'{"item_id":"b2","score":2.0,"rank":2,"reasons":[]}'
        assert lists.fragment("ü/1", 1) == first
        assert lists.fragment("ü/1", 9) == first + b"," + second
        assert lists.fragment("ü/1", 1, explain=True) == first.replace(b"[]", b'["r"]')
        assert lists.fragment("ü/1", 0) == b""
        assert lists.fragment("u/1", 1) is None
        assert lists.popular(3) == b""


def test_ids_of_different_normal_forms_are_different_users(tmp_path: Path) -> None:
    composed, decomposed = "\u00e9", "e\u0301"
    write(tmp_path / "l", [(composed, [("a", 1, [])]), (decomposed, [("b", 1, [])])], length=1)
    with TopLists(tmp_path / "l") as lists:
        assert json.loads(lists.fragment(composed, 1) or b"")["item_id"] == "a"
        assert json.loads(lists.fragment(decomposed, 1) or b"")["item_id"] == "b"


def test_every_shorter_or_longer_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "l"
    write(path, [(f"u{n}", [("a", 1.0, [])]) for n in range(3)], length=1)
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(ArtifactCorruptError):
            TopLists(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(ArtifactCorruptError, match="bytes instead of"):
        TopLists(path)


def test_a_file_whose_writer_died_before_the_header_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "l"

    def rows() -> Iterator[tuple[str, list[Entry]]]:
        yield "u1", [("a", 1.0, [])]
        raise OSError("killed")

    with pytest.raises(OSError, match="killed"):
        write(path, rows(), length=1)
    with pytest.raises(ArtifactCorruptError, match="damaged header"):
        TopLists(path)


@pytest.mark.parametrize("byte", range(64))
def test_a_flipped_byte_of_the_header_is_refused_or_padding(tmp_path: Path, byte: int) -> None:
    path = tmp_path / "l"
    write(path, [("u", [("a", 1.0, [])])], length=1)
    raw = bytearray(path.read_bytes())
    raw[byte] ^= 0xFF
    path.write_bytes(raw)
    if byte < 60:  # 56 bytes of fields and their crc
        with pytest.raises(ArtifactCorruptError):
            TopLists(path)
    else:
        TopLists(path).close()


def test_a_user_who_comes_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="twice"):
        write(tmp_path / "l", [("u", []), ("v", []), ("u", [])], length=1)


@pytest.mark.parametrize("score", [float("nan"), float("inf"), -float("inf")])
def test_a_score_that_json_cannot_write_is_refused(tmp_path: Path, score: float) -> None:
    with pytest.raises(InvalidError, match="finite"):
        write(tmp_path / "l", [("u", [("a", score, [])])], length=1)


@pytest.mark.parametrize("length", [0, -1, 32_768])
def test_a_length_out_of_range_is_refused(tmp_path: Path, length: int) -> None:
    with pytest.raises(InvalidError, match="32767"):
        write(tmp_path / "l", [], length=length)


def test_fifty_thousand_users_are_found_and_the_file_has_the_promised_size(tmp_path: Path) -> None:
    path, users = tmp_path / "l", 50_000
    write(path, ((f"u{n}", [(f"i{n}", n, [])]) for n in range(users)), length=1)
    with TopLists(path) as lists:
        for n in range(0, users, 97):
            assert json.loads(lists.fragment(f"u{n}", 1) or b"")["item_id"] == f"i{n}"
        assert lists.fragment(f"u{users}", 1) is None
        assert len(lists) == users
    # header 64, an empty popular record 8; then a record's 8, its id, one end of 4, the item;
    # and 131,072 slots (the first power of two from twice the users on) of 8
    items = (f'{{"item_id":"i{n}","score":{n}.0,"rank":1,"reasons":[]}}' for n in range(users))
    records = sum(8 + len(f"u{n}") + 4 + len(item) for n, item in enumerate(items))
    assert path.stat().st_size == 64 + 8 + records + 131_072 * 8
