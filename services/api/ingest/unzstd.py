"""Zstandard (RFC 8878), frame after frame, within bounds: window, output of one call, cut-offs."""

from collections.abc import Iterator
from typing import BinaryIO

import zstandard

from services.shared.errors import MalformedError, TooLargeError

WINDOW = 128 << 20  # what zstd's own command reads without being told to; --long=27
FED = 1 << 10  # bytes a call: 4 of them can stand for 128 KiB, so 32 MiB come out at most
BLOCK = 1 << 20
SKIPPABLE = range(0x184D2A50, 0x184D2A60)


def unzstd(file: BinaryIO) -> Iterator[bytes]:
    """Yield the unpacked bytes, at least 1 MiB at a time but for the last.

    Raises MalformedError when it is damaged or cut off, TooLargeError for a window over 128 MiB.
    """
    pieces: list[bytes] = []
    size = 0
    for piece in _pieces(file):
        pieces.append(piece)
        size += len(piece)
        if size >= BLOCK:
            yield b"".join(pieces)
            pieces, size = [], 0
    if size:
        yield b"".join(pieces)


def is_skippable(head: bytes) -> bool:
    """Say whether a frame begins here that holds no data of ours."""
    return int.from_bytes(head[:4], "little") in SKIPPABLE


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    frame = None
    rest = b""
    while fed := rest or file.read(FED):
        rest = b""
        if frame is None:
            if len(fed) < FED:  # a header is told whole, and leftovers do not pile up
                fed += file.read(FED)
            _refuse_window(fed)
            frame = zstandard.ZstdDecompressor(max_window_size=WINDOW).decompressobj()
        try:
            yield frame.decompress(fed)
        except zstandard.ZstdError:
            raise MalformedError("The zstd stream is damaged.", code="BAD_ZSTD") from None
        if frame.eof:
            rest, frame = frame.unused_data, None
    if frame is not None:
        raise MalformedError("The zstd stream is cut off.", code="TRUNCATED")


def _refuse_window(head: bytes) -> None:
    if is_skippable(head):
        return
    try:
        window = zstandard.get_frame_parameters(head).window_size
    except zstandard.ZstdError:
        return  # cut off or damaged: told where it is read
    if window > WINDOW:
        detail = (
            f"The zstd frame asks for a window of {window >> 20:,} MiB; at most "
            f"{WINDOW >> 20} MiB are read: pack it without --long={window.bit_length() - 1}."
        )
        raise TooLargeError(detail, code="ZSTD_WINDOW")
