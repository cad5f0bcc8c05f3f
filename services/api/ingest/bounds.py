"""The published limits, as the parser gets them."""

from services.api.ingest.plan import Bounds
from services.shared.settings import settings


def bounds() -> Bounds:
    """Return what one file may cost."""
    limits = settings().limits
    return Bounds(
        unpacked_bytes=limits.unpacked_bytes,
        unpack_ratio=limits.unpack_ratio,
        row_bytes=limits.row_bytes,
        rows=limits.rows,
        text_chars=limits.text_chars,
        memory_bytes=limits.parse_memory_bytes,
    )
