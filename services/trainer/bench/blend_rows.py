"""Rows of the default preset: its blend with and without ratings, its parts, and plainer blends."""

import resource
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

from scipy.sparse import csr_matrix

from services.recsys.blend import Scorer
from services.recsys.data import Embeddings
from services.recsys.default import Choices, Preset, fit, solve, told
from services.recsys.parts import EASE, GFCF, GRAPH, IALS, PLAIN, EaseSetting, Evidence
from services.recsys.refine import RefineConfig, refine
from services.recsys.refit import refit
from services.recsys.topk import ScoreBlock
from services.shared.canonical import Json
from services.trainer.bench import corpus
from services.trainer.bench.corpus import fingerprint
from services.trainer.bench.peers import tell
from services.trainer.bench.replay import Replay
from services.trainer.bench.rows import Figures, Made, Row, Work

OURS, KNOWN, TEXT_FREE = "default", "text-aware closed forms", "text-free blend"
PLAIN_EASE = tuple(EaseSetting(words=0, vectors=0, beta=0, lam=lam) for lam in (50.0, 200.0, 500.0))
KNOWN_EASE = EaseSetting(words=10, vectors=10, beta=0, lam=130)


def plainer(preset: Preset) -> dict[str, Preset]:
    """Return what others would pick: no text at all, and the closed forms measured beforehand."""
    return {
        TEXT_FREE: replace(preset, ease=PLAIN_EASE, plain=(GFCF,), graph=None),
        KNOWN: replace(preset, ease=(KNOWN_EASE,), plain=PLAIN, ials=(), graph=None),
    }


def alone(preset: Preset) -> dict[str, Preset]:
    """Return every part of the preset by itself; GF-CF stands among the peers."""
    none = replace(preset, ease=(), plain=(), ials=(), graph=None, scales=("raw",))
    texts = {name: replace(none, plain=(name,)) for name in preset.plain if name != GFCF}
    return {
        EASE: replace(none, ease=preset.ease),
        **texts,
        IALS: replace(none, ials=preset.ials),
        GRAPH: replace(none, graph=preset.graph),
    }


def capped(preset: Preset, epochs: int | None) -> Preset:
    """Return a preset whose graph model trains at most so many epochs."""
    if epochs is None or preset.graph is None:
        return preset
    config = replace(preset.graph.config, epochs=min(epochs, preset.graph.config.epochs))
    return replace(preset, graph=replace(preset.graph, config=config))


@dataclass(frozen=True, kw_only=True, eq=False)
class Known:
    """What all rows read: words and vectors of the texts, and whose texts users have."""

    words: csr_matrix
    vectors: Embeddings
    composed: bool  # users' vectors made of what is trained on, not given

    def key(self) -> str:
        """Return the hash of what was read."""
        users = self.vectors.users.numpy()
        seen = (self.vectors.items.numpy(), self.words.data, self.words.indices)
        return fingerprint(*seen) if self.composed else fingerprint(users, *seen)

    def evidence(self, work: Work, said: Replay | None) -> Evidence:
        """Return what may be learned from beside the work's edges."""
        users = self.vectors.users
        if self.composed:
            users = corpus.composed(self.vectors.items, work.graph)
        found = Evidence(words=self.words, texts=Embeddings(users, self.vectors.items))
        if said is None:
            return found
        made = refine(work.graph, said.pairs, config=RefineConfig(), held_out=work.split.val)
        return replace(found, refined=made.interactions, hard=made.hard)


def rows(known: Known, ratings: Sequence[Replay], *, epochs: int | None = None) -> list[Row]:
    """Return the plainer blends, the parts, and the default without and with each rating."""
    preset = capped(Preset(), epochs)
    others = [_row(name, one, known, None) for name, one in plainer(preset).items()]
    parts = [_row(f"part: {name}", one, known, None) for name, one in alone(preset).items()]
    ours = [_row(OURS, preset, known, said) for said in (None, *ratings)]
    return [*others, *parts, *ours]


def _row(name: str, preset: Preset, known: Known, said: Replay | None) -> Row:
    kept: dict[str, dict[str, Any]] = {}  # by graph: what seeds share
    return Row(
        name=name if said is None else f"{name}, ratings {said.name}",
        kept_by=name if said is None else f"{name}, ratings {said.stem}",
        plan={
            "method": "default",
            "preset": cast("Json", asdict(preset)),
            "texts": None if name == TEXT_FREE else known.key(),
            "ratings": None if said is None else said.sha256,
            "rule": None if said is None else asdict(RefineConfig()),
        },
        make=lambda work: _made(work, name, preset, known, said, kept),
        seeded=bool(preset.ials) or preset.graph is not None,
        printed="LLMHNI" if name == OURS else "",
    )


def _made(
    work: Work,
    name: str,
    preset: Preset,
    known: Known,
    said: Replay | None,
    kept: dict[str, dict[str, Any]],
) -> Made:
    # a training that goes on after an earlier one's epochs would not tell their seconds
    shutil.rmtree(work.folder, ignore_errors=True)
    began, wall = time.process_time(), time.perf_counter()
    evidence = Evidence() if name == TEXT_FREE else known.evidence(work, said)
    shared = kept.setdefault(fingerprint(work.graph.keys()), {})
    chosen = _fitted if work.frozen is None else _again
    score_block, figures = chosen(work, preset, evidence, shared)
    spent: dict[str, Json] = {
        "cpu_seconds": round(time.process_time() - began, 1),
        "fit_seconds": round(time.perf_counter() - wall, 1),
        "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    }
    return Made(score_block=score_block, figures={**figures, **spent})


def _fitted(
    work: Work, preset: Preset, evidence: Evidence, shared: dict[str, Any]
) -> tuple[ScoreBlock, Figures]:
    if not shared:
        shared |= solve(work.split, evidence, preset=preset, tell=_say)
    found = fit(
        work.split,
        evidence,
        preset=preset,
        seed=work.seed,
        solved=shared,
        folder=work.folder,
        tell=_say,
    )
    values = {f"validation of {name}": one.value for name, one in found.parts.items()}
    figures: dict[str, Json] = {
        "setting": f"{told(found.blend)} ({found.blend.scale})",
        "validation": found.value,
        "choices": cast("Json", asdict(found.choices)),
        **values,
    }
    return found.blend.score_block, figures


def _again(
    work: Work, preset: Preset, evidence: Evidence, shared: dict[str, Scorer]
) -> tuple[ScoreBlock, Figures]:
    frozen = work.frozen or {}
    blend = refit(
        work.graph,
        evidence,
        Choices(**cast("dict[str, Any]", frozen["choices"])),
        preset=preset,
        seed=work.seed,
        solved=shared,
        folder=work.folder,
        tell=_say,
    )
    return blend.score_block, {name: frozen[name] for name in ("setting", "validation")}


def _say(words: str) -> None:
    tell(f"  {words}")
