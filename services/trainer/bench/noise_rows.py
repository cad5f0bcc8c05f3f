"""Rows of the noise bench: each model on a planted graph, with and without what is known of it."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import cast

from services.recsys import align, default
from services.recsys.default import Preset
from services.recsys.methods.bpr import BPR, Config
from services.recsys.parts import Evidence
from services.recsys.refine import RefineConfig
from services.recsys.registry import BACKBONES
from services.trainer.bench import denoiser_rows, peers, raw_rows, trained
from services.trainer.bench.asking import TEMPLATES
from services.trainer.bench.corpus import fingerprint
from services.trainer.bench.denoiser_rows import CPU, PATIENCE, Texts
from services.trainer.bench.noise_case import (
    AS_SAID,
    DECOYS,
    LOCAL,
    NONE,
    PLACEBO,
    RATERS,
    Case,
    flagged,
)
from services.trainer.bench.peers import Trial
from services.trainer.bench.rows import Figures, Made, Row, Work, peer_rows

DOUBT = "doubt"
"""G' weighed without any rating."""
RAW = "raw"
"""G as it is."""
TAKEN = frozenset({NONE, DOUBT, RAW, *RATERS})
"""Sources that no file of ratings may be named like."""
EPOCHS = 12
SOFTMAX, DEFAULT, CLOSED = "LightGCN, sampled softmax", "default", "default, closed forms"
ON_REFINED = {"GF-CF": False, "EASE": True}
"""Peers that are also fitted on G', and whether a milder doubt suits them (docs/log.md)."""
MILD = "mild"
PRESETS = {
    CLOSED: replace(Preset(), graph=None, ease=Preset().ease[:1], ials=Preset().ials[:1]),
    DEFAULT: replace(Preset(), ease=Preset().ease[:1], ials=Preset().ials[:1]),
}
"""One setting each of the frozen preset, so that a planted graph costs minutes."""


def rows(case: Case, texts: Texts, *, epochs: int = EPOCHS) -> list[Row]:
    """Return all rows of a planted graph, in the order of the table."""
    raters = [*RATERS[: 3 if case.rates is None else 4], *case.said]
    sources = [DOUBT, *raters]
    return [
        *_peers(),
        *(_raw(loss, raw_rows.capped(config, epochs)) for loss, config in raw_rows.LOSSES.items()),
        *(_peer(case, name, source) for name in ON_REFINED for source in sources),
        *(_softmax(case, source, epochs) for source in sources),
        *(
            _llmhni(case, texts, preset, source, epochs)
            for preset in denoiser_rows.CONFIGS
            for source in (NONE, *raters)
        ),
        *(_default(case, name, source) for name in PRESETS for source in (RAW, *sources)),
    ]


def named(row: str, source: str) -> str:
    """Return the name of a row whose graph is G' by a source."""
    return f"{row}, {source}"


def _raw(loss: str, config: Config) -> Row:
    """Return LightGCN on G, named so that `--only` can tell it from the rows on G'."""
    row = raw_rows.raw_row(raw_rows.FIRST, loss, config)
    return replace(row, name=named(row.name, RAW))


def _peers() -> list[Row]:
    """Return the peers on G at their first setting, the one measured on the clean books."""
    return [
        replace(
            row,
            name=named(row.name, RAW),
            plan={**row.plan, "first": True},
            make=_first(row.name),
        )
        for row in peer_rows()
    ]


def _peer(case: Case, name: str, source: str) -> Row:
    """Return a peer on G' alone."""
    trial = peers.grids(seed=0)[name][0]

    def make(_: Work) -> Made:
        model, seconds = peers.fitted(trial, case.weighed(source, mild=ON_REFINED[name]))
        told: Figures = {"setting": trial.setting, "fit_seconds": seconds}
        seen = flagged(case, source, mild=ON_REFINED[name])
        return Made(score_block=model.score_block, figures={**told, **seen})

    mild = repr(case.dials.mild) if ON_REFINED[name] else False
    plan = {"peer": name, "setting": trial.setting, "of": source, "mild": mild}
    return _row(case, name, plan, make)


def _first(name: str) -> Callable[[Work], Made]:
    def make(work: Work) -> Made:
        trial: Trial = peers.grids(seed=work.seed)[name][0]
        model, seconds = peers.fitted(trial, work.graph)
        figures: Figures = {"setting": trial.setting, "fit_seconds": seconds}
        return Made(score_block=model.score_block, figures=figures)

    return make


def _softmax(case: Case, source: str, epochs: int) -> Row:
    """Return the raw model's recipe on G' alone: its pairs and its propagation are weighed."""
    config = raw_rows.capped(raw_rows.LOSSES["sampled softmax"], epochs)

    def make(work: Work) -> Made:
        graph = case.weighed(source)
        done = trained.made(
            work,
            config,
            lambda own: BPR(config, BACKBONES[raw_rows.FIRST], graph, seeds=own, device=CPU),
            stage="train_raw",
            patience=raw_rows.PATIENCE,
        )
        return trained.told(done, {**flagged(case, source)})

    plan = {"method": "bpr", **asdict(config), "patience": raw_rows.PATIENCE}
    return _row(case, SOFTMAX, {**plan, "of": source}, make, resumes=True)


def _llmhni(
    case: Case, texts: Texts, preset: denoiser_rows.Preset, source: str, epochs: int
) -> Row:
    """Return LLMHNI by the services' rule; without ratings G' = G."""
    config = denoiser_rows.capped(preset, epochs if preset == "default" else None)

    def make(work: Work) -> Made:
        refinement = None if source == NONE else case.refined(source)
        return denoiser_rows.denoised(work, texts, preset, config, refinement)

    title = f"LLMHNI {denoiser_rows.TITLES[preset]}"
    plan = {"method": "llmhni", "preset": preset, **asdict(config), "patience": PATIENCE[preset]}
    plan["alignment"] = asdict(align.PRESETS[preset])
    plan["rule"] = None if source == NONE else asdict(RefineConfig())
    return _row(case, title, {**plan, "of": source}, make, resumes=True)


def _default(case: Case, name: str, source: str) -> Row:
    """Return the preset: each part takes what validation prefers.

    G, G' or the milder G'; or a closed form is solved on G and reads the histories of another.
    """
    preset = PRESETS[name]

    def make(work: Work) -> Made:
        evidence = Evidence(words=case.words, texts=case.texts)
        if source != RAW:
            mild = {MILD: case.weighed(source, mild=True)}
            evidence = replace(evidence, refined=case.weighed(source), more=mild)
        found = default.fit(
            work.split,
            evidence,
            preset=preset,
            seed=work.seed,
            folder=work.folder,
            tell=lambda words: peers.tell(f"  {words}"),
        )
        told = {} if source == RAW else flagged(case, source)
        figures: Figures = {
            "validation": found.value,
            "epochs": found.choices.epochs,
            **{f"of {part}": which for part, which in found.choices.sources.items()},
            **{f"weight of {part}": w for part, w in found.choices.weights.items()},
            **told,
        }
        return Made(score_block=found.blend.score_block, figures=figures)

    plan = {"method": "default", "preset": repr(preset), "of": source}
    if source != RAW:
        plan["mild"] = repr(case.dials.mild)
    return _row(case, name, plan, make)


def _row(
    case: Case,
    title: str,
    plan: Mapping[str, object],
    make: Callable[[Work], Made],
    *,
    resumes: bool = False,
) -> Row:
    """Return a row by its title and the plan's source; its cells go by a replayed file's stem."""
    source = str(plan["of"])
    said = case.said.get(source)
    stem = source if said is None else said.stem
    known: dict[str, object] = {
        "of": stem,
        "texts": fingerprint(case.texts.users.numpy(), case.texts.items.numpy()),
        "given": case.given,
        "dials": repr(case.dials),
        "decoys": repr(DECOYS),
        "ratings": None if said is None else said.sha256,
    }
    if said is not None:
        known["rule"] = asdict(RefineConfig())
    if source == AS_SAID and case.rates is not None:
        known["rates"] = fingerprint(case.rates.real, case.rates.fake)
    if source in {LOCAL, PLACEBO}:
        known["prompts"] = {view: template.sha256 for view, template in TEMPLATES.items()}
    return Row(
        name=named(title, source),
        plan=cast("Figures", {**plan, **known}),
        make=make,
        resumes=resumes,
        kept_by=named(title, stem),
    )
