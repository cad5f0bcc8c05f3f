"""What embedding leaves in Postgres: vectors by content, usage and progress, under the lease."""

import struct
import threading
from collections.abc import Iterable, Sequence

from services.shared.db.repos import embeddings, stages, usage
from services.shared.db.repos.stages import StageLease
from services.shared.db.session import unit_of_work
from services.shared.llm.protocol import EmbedReply

Text = tuple[bytes, str]
"""SHA-256 of the UTF-8, and the text."""

Vector = Sequence[float]


class EmbedKeeper:
    """Counts texts and keeps vectors; every write raises LeaseLostError once the token is old."""

    def __init__(self, lease: StageLease, *, model: str, total: int) -> None:
        self.model = model
        self.embedded = 0
        self._lease = lease
        self._total = total
        self._cached = 0
        self._failed = 0
        self._width: int | None = None
        self._counting = threading.Lock()

    def missing(self, chunk: Sequence[Text]) -> list[Text]:
        """Return each text of the chunk once that has no vector yet; the others count as cached."""
        texts = dict(chunk)
        with unit_of_work(self._lease.project_id) as session:
            left = embeddings.missing(session, self.model, list(texts))
            self._cached += len(chunk) - len(left)
            stages.report(session, self._lease, self.progress())
        return [(key, texts[key]) for key in left]

    def keep(
        self, group: Sequence[Text], vectors: Sequence[Vector], replies: Iterable[EmbedReply]
    ) -> None:
        """Commit the vectors, none when there are none, with every attempt that was made."""
        rows = {key: packed(vector) for (key, _), vector in zip(group, vectors, strict=False)}
        spent = [
            usage.attempt_of(reply, kind="embedding", model=self.model, number=number)
            for number, reply in enumerate(replies, start=1)
        ]
        project_id, run_id = self._lease.project_id, self._lease.run_id
        with self._counting:
            self.embedded += len(rows)
            self._width = len(vectors[0]) if vectors else self._width
        with unit_of_work(project_id) as session:
            stages.report(session, self._lease, self.progress())
            embeddings.store(session, self.model, rows, project_id=project_id)
            usage.add(session, spent, project_id=project_id, run_id=run_id)

    def leave_out(self) -> None:
        """Count a text that the endpoint will not embed; it stays without a vector."""
        self._failed += 1

    def progress(self) -> dict[str, int]:
        """Return the counts of texts so far."""
        return {
            "total": self._total,
            "completed": self._cached + self.embedded + self._failed,
            "failed": self._failed,
            "cached": self._cached,
        }

    def figures(self) -> dict[str, int | None]:
        """Return what the stage came to."""
        return {
            "texts": self._total,
            "embedded": self.embedded,
            "cached": self._cached,
            "failed": self._failed,
            "width": self._width,
        }


def packed(vector: Vector) -> bytes:
    """Return float16 in little-endian order; what lies beyond its range becomes its largest."""
    limit = 65_504.0
    return struct.pack(f"<{len(vector)}e", *(max(-limit, min(limit, x)) for x in vector))
