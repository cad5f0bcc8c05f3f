"""Maps a list file and cuts answers out of it: no parsing, no copy of the file in memory."""

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from services.shared.errors import ArtifactCorruptError
from services.shared.toplists.layout import (
    EXPLAINED_BIT,
    HEADER_SIZE,
    MAX_COUNT,
    RECORD,
    SLOT,
    Header,
    id_hash,
)

_END = struct.Struct("<I")


class TopLists:
    """A mapped list file; safe to share between threads, closed by `close` or a with block.

    Raises ArtifactCorruptError when the file is cut short, grown or not a list file. Damage
    within it is the manifest's to find: `ArtifactStore.open` checks the hash beforehand.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            self._header = self._checked(file.read(HEADER_SIZE), size)
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    @property
    def length(self) -> int:
        """Return N, the most items that a list holds."""
        return self._header.length

    def __len__(self) -> int:
        return self._header.users

    def __contains__(self, user_id: str) -> bool:
        return self._find(user_id.encode("utf-8", "surrogatepass")) is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Unmap the file; answers given before stay valid, they are copies."""
        self._map.close()

    def fragment(self, user_id: str, k: int, *, explain: bool = False) -> bytes | None:
        """Return the user's first k items as JSON objects joined by commas; None if unknown.

        A k beyond the list gives the whole list, a k below 1 nothing.
        """
        at = self._find(user_id.encode("utf-8", "surrogatepass"))
        return None if at is None else self._cut(at, k, explain=explain)

    def popular(self, k: int, *, explain: bool = False) -> bytes:
        """Return the first k items of the list for users whom nobody knows."""
        return self._cut(self._header.popular_at, k, explain=explain)

    def user_ids(self) -> Iterator[str]:
        """Yield all user ids in the order in which they were written."""
        at = self._header.popular_at
        at += self._record(at)[0]
        for _ in range(self._header.users):
            length, size, _ = self._record(at)
            yield self._map[at + RECORD.size : at + RECORD.size + size].decode()
            at += length

    def _find(self, ident: bytes) -> int | None:
        mask = self._header.slots - 1
        slot = id_hash(ident) & mask
        for _ in range(self._header.slots):
            (at,) = SLOT.unpack_from(self._map, self._header.index_at + slot * SLOT.size)
            if at == 0:
                return None
            if self._is(ident, at):
                return int(at)
            slot = (slot + 1) & mask
        return None

    def _is(self, ident: bytes, at: int) -> bool:
        _, size, _ = self._record(at)
        start = at + RECORD.size
        return self._map[start : start + size] == ident

    def _cut(self, at: int, k: int, *, explain: bool) -> bytes:
        _, size, flags = self._record(at)
        count = flags & MAX_COUNT
        k = min(k, count)
        if k < 1:
            return b""
        ends = at + RECORD.size + size
        if explain and flags & EXPLAINED_BIT:
            ends += count * _END.size + self._end(ends, count)
        start = ends + count * _END.size
        return self._map[start : start + self._end(ends, k)]

    def _end(self, ends: int, k: int) -> int:
        return int(_END.unpack_from(self._map, ends + (k - 1) * _END.size)[0])

    def _record(self, at: int) -> tuple[int, int, int]:
        """Return length, id length and count; refuse an offset that leads out of the records."""
        if not HEADER_SIZE <= at <= self._header.index_at - RECORD.size:
            raise ArtifactCorruptError(str(self.path), "has a damaged index")
        length, size, count = RECORD.unpack_from(self._map, at)
        if at + length > self._header.index_at or length < RECORD.size + size:
            raise ArtifactCorruptError(str(self.path), "has a damaged record")
        return length, size, count

    def _checked(self, raw: bytes, size: int) -> Header:
        try:
            header = Header.unpack(raw)
        except ValueError as error:
            raise ArtifactCorruptError(str(self.path), str(error)) from error
        if header.file_size != size:
            raise ArtifactCorruptError(
                str(self.path), f"has {size} bytes instead of {header.file_size}"
            )
        if header.index_at + header.slots * SLOT.size != size:
            raise ArtifactCorruptError(str(self.path), "has an index of another size")
        return header
