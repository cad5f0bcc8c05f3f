"""all-MiniLM-L6-v2 in plain torch: BERT (Devlin et al. 2018) with 6 layers, mean-pooled.

Texts go through the layers one by one, not as a padded batch: then the vector of a text is the
same to the last bit whatever stands beside it, which a rating that must repeat needs. Walking
layer by layer over a slice of texts keeps that layer's weights in the cache; on the machine it was
measured on this costs 7 % against padded batches of 32 sorted by length.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as fn
from numpy.typing import NDArray
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor

WIDTH, HEADS, LAYERS, MAX_TOKENS, SLICE = 384, 12, 6, 256, 32
EPSILON = 1e-12  # of every layer norm, from the model's config.json


class MiniLM:
    """The encoder: text to a unit vector of 384 numbers from its first 256 tokens."""

    name = "minilm-l6"

    def __init__(self, folder: Path) -> None:
        self._tokenizer = _tokenizer(folder)
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._counter = _tokenizer(folder)
        self._counter.no_truncation()
        self._w = load_file(folder / "model.safetensors")
        self._layers = [_Layer(self._w, f"encoder.layer.{index}.") for index in range(LAYERS)]

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one unit row per text, shape (len(texts), 384)."""
        out = np.empty((len(texts), WIDTH), dtype=np.float32)
        for start in range(0, len(texts), SLICE):
            part = texts[start : start + SLICE]
            out[start : start + len(part)] = self._forward(part)
        return out

    def count_tokens(self, text: str) -> int:
        """Return the number of tokens of the whole text, the two special ones left out."""
        return len(self._counter.encode(text, add_special_tokens=False).ids)

    @torch.inference_mode()
    def _forward(self, texts: Sequence[str]) -> NDArray[np.float32]:
        encodings = [self._tokenizer.encode(text) for text in texts]
        states = [self._embed(torch.tensor(encoding.ids)) for encoding in encodings]
        for layer in self._layers:
            states = [layer(x) for x in states]
        pooled = torch.stack([x.mean(dim=0) for x in states])
        unit: NDArray[np.float32] = fn.normalize(pooled, dim=1).numpy()
        return unit

    def _embed(self, ids: Tensor) -> Tensor:
        part = "embeddings."
        x = (
            self._w[part + "word_embeddings.weight"][ids]
            + self._w[part + "position_embeddings.weight"][: len(ids)]
            + self._w[part + "token_type_embeddings.weight"][0]
        )
        return _norm(x, self._w, part + "LayerNorm.")


class _Layer:
    """One transformer layer over one text, (T, 384) to (T, 384), norms after the sums."""

    def __init__(self, weights: dict[str, Tensor], prefix: str) -> None:
        self._w, self._prefix = weights, prefix
        own = [f"{prefix}attention.self.{name}." for name in ("query", "key", "value")]
        self._qkv = torch.cat([weights[name + "weight"] for name in own])
        self._qkv_bias = torch.cat([weights[name + "bias"] for name in own])

    def __call__(self, x: Tensor) -> Tensor:
        x = self._norm(x + self._linear(self._attend(x), "attention.output."), "attention.output.")
        inner = fn.gelu(self._linear(x, "intermediate."))
        return self._norm(x + self._linear(inner, "output."), "output.")

    def _attend(self, x: Tensor) -> Tensor:
        heads = fn.linear(x, self._qkv, self._qkv_bias).view(len(x), 3, HEADS, -1)
        q, k, v = heads.permute(1, 2, 0, 3).unsqueeze(1)  # each (1, heads, T, 32)
        mixed = fn.scaled_dot_product_attention(q, k, v)[0]
        return mixed.transpose(0, 1).reshape(len(x), WIDTH)

    def _linear(self, x: Tensor, part: str) -> Tensor:
        name = f"{self._prefix}{part}dense."
        return fn.linear(x, self._w[name + "weight"], self._w[name + "bias"])

    def _norm(self, x: Tensor, part: str) -> Tensor:
        return _norm(x, self._w, f"{self._prefix}{part}LayerNorm.")


def _norm(x: Tensor, weights: dict[str, Tensor], name: str) -> Tensor:
    scale, shift = weights[name + "weight"], weights[name + "bias"]
    return fn.layer_norm(x, (WIDTH,), scale, shift, EPSILON)


def _tokenizer(folder: Path) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()  # the file asks for 128 fixed
    return tokenizer
