"""What the endpoint says of texts and pairs, through the prompts that the services use."""

import asyncio
from base64 import b64decode
from collections.abc import Callable, Sequence

import httpx
import numpy as np
import torch
from torch import Tensor

from services.recsys.candidates import Candidates
from services.recsys.topk import NO_ITEM
from services.recsys.verdicts import LABELS, MISSING, Labels
from services.shared.errors import UnparsableReplyError
from services.shared.llm.prompts import (
    RATE_ITEM_VIEW,
    RATE_USER_VIEW,
    ItemQuestion,
    Question,
    UserQuestion,
    parse,
    render,
    response_format,
)
from services.trainer.bench.endpoint import CHAT_MODEL, EMBEDDING_MODEL

MAX_CHARS = 4_000  # the default of WINNOW_LIMITS__PROMPT_TEXT_CHARS
IN_FLIGHT = 32
TEXTS_PER_CALL = 256
TEMPLATES = {"user": RATE_USER_VIEW, "item": RATE_ITEM_VIEW}

OnProgress = Callable[[int, int], None]


async def embed(client: httpx.AsyncClient, texts: Sequence[str]) -> Tensor:
    """Return one vector per text: (n, d_llm) float32, as precise as the services store it."""
    rows = []
    for start in range(0, len(texts), TEXTS_PER_CALL):
        body = {
            "model": EMBEDDING_MODEL,
            "input": list(texts[start : start + TEXTS_PER_CALL]),
            "encoding_format": "base64",
        }
        answer = (await client.post("/v1/embeddings", json=body)).raise_for_status().json()
        rows += [np.frombuffer(b64decode(row["embedding"]), dtype="<f4") for row in answer["data"]]
    return torch.from_numpy(np.stack(rows)).to(torch.float16).to(torch.float32)


def questions(
    pairs: Candidates, *, users: Sequence[str], items: Sequence[str]
) -> list[tuple[UserQuestion, ItemQuestion]]:
    """Return both views' question of every pair."""
    columns = zip(pairs.users.tolist(), pairs.items.tolist(), pairs.history.tolist(), strict=True)
    return [
        (
            UserQuestion(user=users[u], item=items[i]),
            ItemQuestion(liked=tuple(items[j] for j in shelf if j != NO_ITEM), item=items[i]),
        )
        for u, i, shelf in columns
    ]


async def rate(
    client: httpx.AsyncClient,
    asked: Sequence[tuple[UserQuestion, ItemQuestion]],
    *,
    on_progress: OnProgress,
) -> tuple[Labels, Labels]:
    """Return the user view's and the item view's label of every pair, MISSING if unparsable."""
    room, labels = asyncio.Semaphore(IN_FLIGHT), np.full((len(asked), 2), MISSING, dtype=np.int8)
    done = 0

    async def answer(row: int) -> None:
        nonlocal done
        by_user, by_item = asked[row]
        async with room:
            labels[row, 0] = await _label(client, by_user)
            labels[row, 1] = await _label(client, by_item)
        done += 1
        on_progress(done, len(asked))

    await asyncio.gather(*(answer(row) for row in range(len(asked))))
    return labels[:, 0], labels[:, 1]


async def _label(client: httpx.AsyncClient, question: Question) -> int:
    body = {
        "model": CHAT_MODEL,
        "messages": render(TEMPLATES[question.view], question, max_chars=MAX_CHARS),
        "temperature": 0.0,
        "response_format": response_format(),
    }
    reply = (await client.post("/v1/chat/completions", json=body)).raise_for_status().json()
    try:
        return LABELS[parse(reply["choices"][0]["message"]["content"]).label.value]
    except UnparsableReplyError:
        return MISSING
