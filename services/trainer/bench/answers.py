"""Vectors and ratings by file, named by the hash of what was asked: nothing is asked twice."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx
import torch
from safetensors.torch import load_file, save_file

from services.recsys.candidates import Candidates
from services.recsys.data import Embeddings
from services.shared.canonical import content_hash
from services.trainer.bench.arms import Views
from services.trainer.bench.asking import TEMPLATES, embed, questions, rate

Answers = dict[str, torch.Tensor]


class Profiles(Protocol):
    """Texts by index."""

    @property
    def users(self) -> tuple[str, ...]:
        """Return the users' (U,)."""

    @property
    def items(self) -> tuple[str, ...]:
        """Return the items' (I,)."""


@dataclass(frozen=True)
class Asked:
    """An endpoint with a memory on disk; `names` tell what answers there."""

    client: httpx.AsyncClient
    names: dict[str, str]
    folder: Path

    async def vectors(self, texts: Profiles) -> Embeddings:
        """Return both sides' text vectors: (U, d_llm), (I, d_llm)."""
        key = content_hash({"texts": [texts.users, texts.items], "encoder": self.names["encoder"]})
        kept = self._kept(key)
        if kept is None:
            kept = {"users": await embed(self.client, texts.users)}
            kept["items"] = await embed(self.client, texts.items)
            self._keep(key, kept)
        return Embeddings(kept["users"], kept["items"])

    async def views(
        self, texts: Profiles, pairs: Candidates, *, on_progress: Callable[[int, int], None]
    ) -> Views:
        """Return both views' labels of the pairs: (C,), (C,)."""
        asked = questions(pairs, users=texts.users, items=texts.items)
        words = [[user.user, user.item, list(item.liked)] for user, item in asked]
        prompts = {view: template.sha256 for view, template in TEMPLATES.items()}
        key = content_hash({"asked": words, "prompts": prompts, "names": self.names})
        kept = self._kept(key)
        if kept is None:
            user, item = await rate(self.client, asked, on_progress=on_progress)
            kept = {"user": torch.from_numpy(user.copy()), "item": torch.from_numpy(item.copy())}
            self._keep(key, kept)
        return kept["user"].numpy(), kept["item"].numpy()

    def _kept(self, key: str) -> Answers | None:
        path = self.folder / f"{key}.safetensors"
        return load_file(path) if path.exists() else None

    def _keep(self, key: str, answers: Answers) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        half = self.folder / f"{key}.part"
        save_file(answers, half)
        half.rename(self.folder / f"{key}.safetensors")
