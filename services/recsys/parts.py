"""The parts of `preset="default"`: how each is made of the evidence."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from scipy.sparse import csr_matrix

from services.recsys.align import AlignConfig, align
from services.recsys.arrays import check_rows, check_vectors, check_words
from services.recsys.blend import Vectors
from services.recsys.closed_forms import ClosedForm, CollectiveEase, GfCf, Ials, Side, TextKernel
from services.recsys.data import Embeddings, Interactions, Signals, check_sizes
from services.recsys.loop import Validate
from services.recsys.loop import fit as train
from services.recsys.methods import llmhni
from services.recsys.ranges import COUNT, NATURAL, POSITIVE, check
from services.recsys.readings import check_names, graphs
from services.recsys.registry import BACKBONES
from services.recsys.seeds import Seeds
from services.recsys.texts import centred, mean

EASE, GFCF, WORDS, VECTORS = "collective EASE", "GF-CF", "words", "vectors"
IALS, GRAPH = "iALS", "LLMHNI"
PLAIN = (GFCF, WORDS, VECTORS)
"""Parts with neither settings nor a seed."""
SEEDED = (IALS, GRAPH)


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the preset learns from beside the train edges; every part may be missing."""

    words: csr_matrix | None = None  # TF-IDF of the items' texts, (I, words): `tfidf.tf_idf`
    texts: Embeddings | None = None  # sentence vectors (U, d), (I, d); a missing one is zeros
    refined: Interactions | None = None  # G', its weights from the ratings
    hard: Interactions | None = None  # C_H: never drawn as negatives
    more: Mapping[str, Interactions] = field(default_factory=dict)  # other readings of G', by name

    def __post_init__(self) -> None:
        """Raise ValueError for vectors that are none, and a reading named like another source."""
        check_names(self.more)
        if self.texts is not None:
            check_vectors("texts", self.texts.users, self.texts.items)

    def check(self, train: Interactions) -> None:
        """Raise ValueError for a part of other users or items than the graph, and endless words."""
        if self.words is not None:
            check_rows("words", self.words.shape[0], train.n_items, "items")
            check_words(self.words)
        others = {"refined": self.refined, "hard": self.hard, **self.more}
        check_sizes(train, vectors={"texts": self.texts}, graphs=others)

    def of_texts(self) -> tuple[str, ...]:
        """Return the names of the texts that are there."""
        return tuple(name for name in (WORDS, VECTORS) if there(name, self))

    def graphs(self, train: Interactions) -> dict[str, Interactions]:
        """Return G and, where there are any, G' and its other readings."""
        return graphs(train, self.refined, self.more)

    def centred(self) -> Embeddings | None:
        """Return the sentence vectors with each side's mean taken out."""
        return None if self.texts is None else centred(self.texts)


@dataclass(frozen=True)
class EaseSetting:
    """Dials of collective EASE; a side whose texts are missing is left out."""

    words: float  # weight of the likeness of words
    vectors: float  # weight of the likeness of sentence vectors
    beta: float  # scale of the users' vectors, 0 without them
    lam: float
    power: float = 1.0  # of its entries between items

    def __post_init__(self) -> None:
        """Raise ValueError for a field outside its range."""
        check(
            self,
            **dict.fromkeys(("words", "vectors", "beta"), NATURAL),
            lam=POSITIVE,
            power=POSITIVE,
        )


@dataclass(frozen=True)
class IalsSetting:
    """Dials of iALS."""

    f: int
    reg: float
    alpha: float

    def __post_init__(self) -> None:
        """Raise ValueError for a field outside its range."""
        check(self, f=COUNT, reg=NATURAL, alpha=NATURAL)


@dataclass(frozen=True)
class GraphRecipe:
    """How LLMHNI is trained within the blend: on G with the pairs of E' (`positives="refined"`).

    Its semantic negatives and its two contrasts take two thirds of the time and moved the blend
    by less than a tie (docs/log.md); the texts reach the blend through collective EASE.
    """

    config: llmhni.Config = field(default_factory=lambda: _lean(llmhni.Config.default()))
    alignment: AlignConfig = field(default_factory=AlignConfig)  # of config.semantic
    patience: int = 6  # epochs

    def __post_init__(self) -> None:
        """Raise ValueError for a field outside its range."""
        check(self, patience=COUNT)


def _lean(config: llmhni.Config) -> llmhni.Config:
    return replace(config, semantic=False, hal=False, de=False)


Setting = EaseSetting | IalsSetting | GraphRecipe | None


@dataclass(frozen=True, eq=False)
class Trained:
    """The graph model, the graph it serves and how many epochs it took."""

    model: Vectors
    source: str
    epochs: int


def there(name: str, evidence: Evidence) -> bool:
    """Return whether a plain part has what it needs."""
    needed = {WORDS: evidence.words, VECTORS: evidence.texts}
    return name not in needed or needed[name] is not None


def closed(name: str, setting: Setting, evidence: Evidence, *, seed: int = 0) -> ClosedForm:
    """Return a closed form or iALS, not yet fitted.

    Raises ValueError for a part of texts that are missing, and for a name that no part has.
    """
    texts = evidence.centred()
    if isinstance(setting, IalsSetting):
        return Ials(**asdict(setting), seed=Seeds(seed).integer(IALS))
    if isinstance(setting, EaseSetting):
        return _ease(setting, evidence)
    if name == WORDS and evidence.words is not None:
        return TextKernel(evidence.words)
    if name == VECTORS and texts is not None:
        return TextKernel(texts.items.numpy())
    if name == GFCF:
        return GfCf()
    raise ValueError(f"{name} has no text to be made of, or is no part")


def _ease(setting: EaseSetting, evidence: Evidence) -> CollectiveEase:
    """Return collective EASE with what texts there are."""
    words, texts = evidence.words, evidence.centred()
    sides = [] if words is None else [Side(words, setting.words)]
    if texts is None or evidence.texts is None:
        return CollectiveEase(sides, lam=setting.lam, power=setting.power)
    sides.append(Side(texts.items.numpy(), setting.vectors))
    return CollectiveEase(
        sides,
        lam=setting.lam,
        users=texts.users.numpy(),
        beta=setting.beta,
        mean=mean(evidence.texts.users).numpy(),
        power=setting.power,
    )


def graph_model(  # noqa: PLR0913 - the loop's dials, all by keyword
    train_edges: Interactions,
    evidence: Evidence,
    recipe: GraphRecipe,
    *,
    seed: int,
    validate: Validate | None = None,
    serve: str | None = None,
    folder: Path | None = None,
    tell: Callable[[str], None] = lambda _: None,
    device: torch.device | None = None,
) -> Trained:
    """Train LLMHNI on G and G'; `serve` names the graph where no validation chooses it.

    On the CPU unless told; the vectors come back to it.
    """
    config, own, texts = recipe.config, Seeds(Seeds(seed).integer(GRAPH)), evidence.texts
    aligned = None
    if texts is not None and config.semantic:
        aligned = align(texts, train_edges, config=recipe.alignment, rng=own.torch("align"))
    signals = Signals(aligned=aligned, texts=texts, refined=evidence.refined, hard=evidence.hard)
    method = llmhni.LLMHNI(
        config,
        BACKBONES["lightgcn"],
        train_edges,
        signals,
        seeds=own,
        device=device or torch.device("cpu"),
    )
    fitted = train(
        method,
        train_edges,
        epochs=config.epochs,
        batch_size=config.B,
        lr=config.lr,
        seeds=own,
        validate=validate,
        patience=recipe.patience,
        on_epoch=lambda e: tell(f"{GRAPH}: epoch {e.number + 1}, {e.seconds:.0f} s, {e.value}"),
        checkpoint_dir=folder,
    )
    vectors, source = fitted.embeddings, fitted.graph
    if serve is not None:
        vectors, source = method.served()[serve].to("cpu"), serve
    epochs = fitted.best_epoch + 1
    return Trained(Vectors.of(vectors, train_edges), source, epochs)
