"""How a list file is laid out: header, one record a user, a hash index at the end.

    header   magic, version, N, users, index offset, slots, popular offset, file size, crc32
    record   length u32 | id length u16 | count u16 | id | ends u32[count] | joined fragments
             and, only if a reason is given, ends u32[count] | fragments with their reasons
    index    slots u64, a power of two: record offset or 0, open addressing

All integers are little-endian. `ends[k-1]` is where the first k fragments end, without the comma
after them: the top-k for any k is `fragments[:ends[k-1]]`. A user's record lies in one piece, so
a look-up touches one slot of the index and one or two pages.
"""

import json
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from zlib import crc32

from services.shared.canonical import Json
from services.shared.errors import InvalidError

MAGIC = b"WINNOWTL"
VERSION = 1
HEADER = struct.Struct("<8sHHIQQQQQ")  # then crc32 of these bytes
CRC = struct.Struct("<I")
HEADER_SIZE = 64
RECORD = struct.Struct("<IHH")
EXPLAINED_BIT = 0x8000
MAX_COUNT = 0x7FFF
SLOT = struct.Struct("<Q")

Entry = tuple[str, float, Sequence[Json]]
"""Item id, score, reasons (words or objects); best first."""


@dataclass(frozen=True, kw_only=True)
class Header:
    """The numbers of a file's first 64 bytes; offsets in bytes from its start."""

    length: int
    users: int
    index_at: int
    slots: int
    popular_at: int
    file_size: int

    def pack(self) -> bytes:
        """Return the 64 bytes."""
        body = HEADER.pack(
            MAGIC,
            VERSION,
            self.length,
            0,
            self.users,
            self.index_at,
            self.slots,
            self.popular_at,
            self.file_size,
        )
        return (body + CRC.pack(crc32(body))).ljust(HEADER_SIZE, b"\0")

    @classmethod
    def unpack(cls, raw: bytes) -> "Header":
        """Return the header; ValueError says what is wrong with it."""
        if len(raw) < HEADER_SIZE:
            raise ValueError("is shorter than a header")
        body = raw[: HEADER.size]
        if CRC.unpack_from(raw, HEADER.size) != (crc32(body),):
            raise ValueError("has a damaged header")
        magic, version, length, _, users, index_at, slots, popular_at, size = HEADER.unpack(body)
        if (magic, version) != (MAGIC, VERSION):
            raise ValueError(f"is no list file of version {VERSION}")
        return cls(
            length=length,
            users=users,
            index_at=index_at,
            slots=slots,
            popular_at=popular_at,
            file_size=size,
        )


def id_hash(ident: bytes) -> int:
    """Return 64 well-mixed bits of an id, the same on every machine."""
    return int.from_bytes(blake2b(ident, digest_size=8).digest(), "little")


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_quoted = lru_cache(maxsize=65_536)(_encode)  # popular items stand in most lists


def encode_fragment(rank: int, item_id: str, score: float, reasons: Sequence[Json]) -> bytes:
    """Return one item of an answer as JSON; scores keep the seven digits of a float32.

    Raises InvalidError on a score that JSON cannot write.
    """
    if not math.isfinite(score):
        raise InvalidError(f"The score of item {item_id!r} is not a finite number.")
    short = float(f"{score:.7g}")
    why = _encode(list(reasons)) if reasons else "[]"
    return (
        f'{{"item_id":{_quoted(item_id)},"score":{short!r},"rank":{rank},"reasons":{why}}}'
    ).encode()


def encode_record(ident: bytes, entries: Sequence[Entry]) -> bytes:
    """Return a user's record; ids up to 65,535 bytes, at most 32,767 entries."""
    plain = _section([encode_fragment(n, i, s, ()) for n, (i, s, _) in enumerate(entries, 1)])
    explained = b""
    if any(reasons for _, _, reasons in entries):
        explained = _section(
            [encode_fragment(n, i, s, why) for n, (i, s, why) in enumerate(entries, 1)]
        )
    length = RECORD.size + len(ident) + len(plain) + len(explained)
    count = len(entries) | (EXPLAINED_BIT if explained else 0)
    return RECORD.pack(length, len(ident), count) + ident + plain + explained


def _section(fragments: Sequence[bytes]) -> bytes:
    ends, end = [], -1  # the first fragment has no comma before it
    for fragment in fragments:
        end += 1 + len(fragment)
        ends.append(end)
    return struct.pack(f"<{len(ends)}I", *ends) + b",".join(fragments)
