"""Writes a list file in one pass over the users; the header comes last and makes it valid."""

from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

from services.shared.errors import InvalidError
from services.shared.toplists.layout import (
    HEADER_SIZE,
    MAX_COUNT,
    RECORD,
    SLOT,
    Entry,
    Header,
    encode_record,
    id_hash,
)


def write(
    path: Path,
    rows: Iterable[tuple[str, Sequence[Entry]]],
    *,
    length: int,
    popular: Sequence[Entry] = (),
) -> int:
    """Write each user's entries, best first, cut at `length`; return how many users.

    `popular` is the list for users whom nobody knows. Rows are streamed: beside the row at hand,
    memory holds 48 to 80 bytes a user. Raises InvalidError on a user who comes twice, on a score
    that is not finite and on a length outside 1..32,767.
    """
    if not 1 <= length <= MAX_COUNT:
        raise InvalidError(f"A list length lies between 1 and {MAX_COUNT}, not {length}.")
    with path.open("w+b") as file:
        file.write(bytes(HEADER_SIZE))
        popular_at = _append(file, b"", popular[:length])
        hashes, offsets = array("Q"), array("Q")
        for user_id, entries in rows:
            ident = user_id.encode()
            offsets.append(_append(file, ident, entries[:length]))
            hashes.append(id_hash(ident))
        index_at = file.tell()
        slots = _index(file, hashes, offsets)
        file.seek(index_at)
        file.write(slots.tobytes())
        header = Header(
            length=length,
            users=len(offsets),
            index_at=index_at,
            slots=len(slots),
            popular_at=popular_at,
            file_size=file.tell(),
        )
        file.seek(0)
        file.write(header.pack())
    return len(offsets)


def _append(file: BinaryIO, ident: bytes, entries: Sequence[Entry]) -> int:
    if len(ident) > 0xFFFF:
        raise InvalidError("A user id is longer than 65,535 bytes.")
    at = file.tell()
    file.write(encode_record(ident, entries))
    return at


def _index(file: BinaryIO, hashes: Sequence[int], offsets: Sequence[int]) -> "array[int]":
    """Return the slots, at most half full: 0 or a record's offset."""
    size = max(2, 1 << (2 * len(offsets) - 1).bit_length()) if offsets else 2
    slots = array("Q", bytes(size * SLOT.size))
    by_offset = array("Q", bytes(size * SLOT.size))  # the hash beside each slot, to spare reads
    for hashed, offset in zip(hashes, offsets, strict=True):
        at = hashed & (size - 1)
        while slots[at]:
            if by_offset[at] == hashed and _ident(file, slots[at]) == _ident(file, offset):
                raise InvalidError("A user stands twice in the lists.")
            at = (at + 1) & (size - 1)
        slots[at], by_offset[at] = offset, hashed
    return slots


def _ident(file: BinaryIO, offset: int) -> bytes:
    file.seek(offset)
    _, size, _ = RECORD.unpack(file.read(RECORD.size))
    return file.read(size)
