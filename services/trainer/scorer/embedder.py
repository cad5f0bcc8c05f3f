"""Text vectors for those who came after the training: kept ones first, then the endpoint's.

A vector that the embedder made of a profile or an item is kept by content like every other; what
a session says is embedded and forgotten. While the endpoint is away no request waits for it twice,
and a text that it refuses is searched for and left out: it keeps nobody else from a vector.
"""

import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from urllib.parse import urlunsplit
from uuid import UUID

import httpx
import numpy as np
import numpy.typing as npt
import orjson

from services.shared.db.repos import embeddings
from services.shared.db.session import unit_of_work
from services.shared.errors import WinnowError
from services.shared.llm.protocol import EMBEDDED_CHARS
from services.shared.log import get_logger
from services.shared.outgoing import guard
from services.shared.settings import Endpoint, settings

log = get_logger(__name__)

PER_CALL = 64
"""Texts of one call, and of one request that waits for them."""

REST_SECONDS = 5.0
"""After a failure, until the endpoint is asked again."""

ABOUT_THE_TEXTS = {400, 413, 415, 422}
"""Statuses of an endpoint that is well and does not take what it was sent."""

REMEMBERED = 10_000
"""Refused texts, by hash, that are not sent again."""

MAX_ANSWER = 16 * 2**20  # bytes: 64 vectors of 4,096 numbers as text, thrice over

Vector = npt.NDArray[np.float32]
Halves = npt.NDArray[np.float16]


class _RefusedError(Exception):
    """One of the texts is to blame, or all of them."""


class Embedder:
    """The configured embedder, asked for a few texts at a time within half the api's patience."""

    def __init__(self, endpoint: Endpoint, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._rests_until = 0.0
        self._refused: set[bytes] = set()
        self._client = httpx.Client(trust_env=False, follow_redirects=False)

    def kept(self, project_id: UUID, model: str, keys: Sequence[bytes]) -> dict[bytes, Vector]:
        """Return the vectors that there are already, by the texts' hashes."""
        with unit_of_work(project_id) as session:
            found = embeddings.load(session, model, keys)
        return {
            key: np.frombuffer(raw, dtype="<f2").astype(np.float32) for key, raw in found.items()
        }

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def speaks(self, model: str) -> bool:
        """Say whether the endpoint's vectors are those that a model's maps understand."""
        return bool(self._endpoint.base_url) and self._endpoint.model == model

    def has_refused(self, key: bytes) -> bool:
        """Say whether a text is not sent again, since it was refused by itself."""
        return key in self._refused

    def embed(
        self, project_id: UUID, model: str, texts: Mapping[bytes, str], *, keep: bool
    ) -> dict[bytes, Vector]:
        """Return vectors by hash: kept ones, and new ones of the first PER_CALL other texts.

        Fewer than asked for where the endpoint is away, refuses, or speaks for another model.
        """
        found = self.kept(project_id, model, list(texts))
        left = {key: text for key, text in texts.items() if key not in found}
        missing = {k: text for k, text in left.items() if text.strip() and k not in self._refused}
        some = dict(list(missing.items())[:PER_CALL])
        if not some or not self.speaks(model) or self._clock() < self._rests_until:
            return found
        told = self._ask(some, until=self._clock() + self._patience())
        made = {key: row for key, row in told.items() if row is not None}
        if keep:
            self._keep(project_id, model, made)
            self._remember(told.keys() - made.keys())
        return {**found, **{key: row.astype(np.float32) for key, row in made.items()}}

    def _keep(self, project_id: UUID, model: str, made: Mapping[bytes, Halves]) -> None:
        packed = {key: row.tobytes() for key, row in made.items()}
        with unit_of_work(project_id) as session:
            embeddings.store(session, model, packed, project_id=project_id)

    def _remember(self, refused: Collection[bytes]) -> None:
        if len(self._refused) + len(refused) > REMEMBERED:
            self._refused.clear()
        self._refused.update(refused)

    def _ask(self, texts: Mapping[bytes, str], *, until: float) -> dict[bytes, Halves | None]:
        """Return what came of the texts: a vector, or None for one that is refused by itself.

        Those that the endpoint was away for, or that there was no time for, are left out.
        """
        try:
            rows = _read(self._post([text[:EMBEDDED_CHARS] for text in texts.values()]), len(texts))
        except _RefusedError:
            return self._halved(texts, until=until)
        except (httpx.HTTPError, WinnowError, ValueError) as error:
            self._rests_until = self._clock() + REST_SECONDS
            log.warning("embedder_away", error=type(error).__name__)  # its words may hold a text
            return {}
        return dict(zip(texts, np.clip(rows, -65_504, 65_504).astype("<f2"), strict=True))

    def _halved(self, texts: Mapping[bytes, str], *, until: float) -> dict[bytes, Halves | None]:
        keys = list(texts)
        if len(keys) == 1:
            log.warning("text_refused")
            return dict.fromkeys(keys)
        told: dict[bytes, Halves | None] = {}
        for some in (keys[: len(keys) // 2], keys[len(keys) // 2 :]):
            if self._rests_until <= self._clock() < until:
                told |= self._ask({key: texts[key] for key in some}, until=until)
        return told

    def _patience(self) -> float:
        return min(self._endpoint.timeout_seconds, settings().scorer_timeout_seconds / 2)

    def _post(self, texts: Sequence[str]) -> bytes:
        """Return the answer's bytes, from the one address that the guard has checked."""
        base = self._endpoint.base_url.rstrip("/")
        target = guard(f"{base}/embeddings", allow=settings().outgoing_allow)
        host = f"[{target.address}]" if ":" in target.address else target.address
        url = urlunsplit((target.scheme, f"{host}:{target.port}", target.target, "", ""))
        key = self._endpoint.api_key
        headers = {"Host": target.host_header}
        if key is not None and key.get_secret_value():
            headers["Authorization"] = f"Bearer {key.get_secret_value()}"
        patience = self._patience()
        body = {"model": self._endpoint.model, "input": list(texts), "encoding_format": "float"}
        until = self._clock() + patience
        with self._client.stream(
            "POST",
            url,
            json=body,
            headers=headers,
            timeout=patience,
            extensions={"sni_hostname": target.host},
        ) as answer:
            if answer.status_code in ABOUT_THE_TEXTS:
                raise _RefusedError
            answer.raise_for_status()
            raw = bytearray()
            for piece in answer.iter_bytes():
                raw += piece
                if len(raw) > MAX_ANSWER or self._clock() > until:
                    raise ValueError("the answer is longer, or slower, than any that is expected")
            return bytes(raw)


def _read(raw: bytes, count: int) -> npt.NDArray[np.float64]:
    """Return `count` finite vectors of one width; ValueError for anything else."""
    try:
        rows = sorted(orjson.loads(raw)["data"], key=lambda row: row["index"])
        vectors = np.array([row["embedding"] for row in rows], dtype=np.float64)
        whole = [int(row["index"]) for row in rows] == list(range(count))
    except (KeyError, TypeError) as error:
        raise ValueError("no vectors") from error
    if not whole or vectors.ndim != 2 or not math.isfinite(float(np.abs(vectors).sum())):
        raise ValueError("not one whole vector a text")
    return vectors
