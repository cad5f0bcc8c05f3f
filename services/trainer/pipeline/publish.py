"""publish: vectors, lists, maps and the card of both graphs in one folder, then the model's row."""

import json
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from services.recsys.data import Embeddings
from services.shared import toplists
from services.shared.clock import utc_now
from services.shared.db.repos import candidates, models, usage
from services.shared.llm.budget import DEFAULT_PRICES, Tokens
from services.shared.settings import settings
from services.shared.stages import StageName
from services.trainer import lists, newcomers, training, vectors
from services.trainer.context import Context, Result
from services.trainer.pipeline.align import TEXTS
from services.trainer.pipeline.evaluate import DENOISED, EVALUATION, RAW
from services.trainer.snapshot import files
from services.trainer.snapshot.files import Snapshot

CARD = "card.json"
TRAINED_BY = {RAW: StageName.TRAIN_RAW, DENOISED: StageName.TRAIN}


@dataclass(frozen=True)
class _Model:
    """What the row keeps, ready before the transaction."""

    version: int
    default_graph: str
    card: dict[str, Any]


def run(context: Context) -> Result:
    """Write the model's folder; the row, and the pointer of a dataset's first model, follow."""
    folder = context.folder(StageName.SNAPSHOT)
    snapshot = files.read(folder)
    evaluation = json.loads((context.folder(StageName.EVALUATE) / EVALUATION).read_bytes())
    model = _Model(_pinned_version(context), evaluation["default_graph"], {})
    model.card.update(_card(context, model, evaluation))
    texts, cold = _texts(context), {}
    with context.writing(f"models/{context.run.id}") as draft:
        newcomers.write_ids(draft.folder, snapshot)
        if texts is not None:
            newcomers.write_texts(draft.folder, texts)
        for done, (graph, stage) in enumerate(TRAINED_BY.items()):
            trained = vectors.load(context.folder(stage) / training.MODEL)
            _write(draft.folder, graph, trained, snapshot)
            fitted = newcomers.fit(trained, snapshot.split.train, texts)
            newcomers.write_maps(draft.folder, graph, fitted)
            cold[graph] = newcomers.figures(fitted)
            context.progress(done + 1, total=len(TRAINED_BY))
        model.card["cold"] = cold
        (draft.folder / CARD).write_text(json.dumps(model.card), encoding="utf-8")
    figures: dict[str, Any] = {
        "default_graph": model.default_graph,
        "metrics": evaluation["metrics"],
    }

    def record(session: Session) -> None:
        row = models.create(
            session,
            context.run,
            dataset_version=model.version,
            default_graph=model.default_graph,
            card=model.card,
            manifest=draft.manifest,
        )
        figures["served"] = models.serve_if_first(session, row)
        figures["model_id"] = str(row.id)

    return Result(figures, draft.manifest, record)


def _write(folder: Path, graph: str, trained: Embeddings, snapshot: Snapshot) -> None:
    vectors.save(folder / f"{graph}.safetensors", trained)
    ids, length = snapshot.item_ids, settings().list_length
    seen = snapshot.edges  # also what was kept for judging: nobody wants it again
    toplists.write(
        folder / f"lists-{graph}.bin",
        lists.rows(trained, seen, user_ids=snapshot.user_ids, item_ids=ids, length=length),
        length=length,
        popular=lists.popular(seen, item_ids=ids, length=length),
    )


def _texts(context: Context) -> Embeddings | None:
    """Return both sides' text vectors as the alignment read them; None where there were none."""
    if StageName.ALIGN.value not in context.run.artifacts:
        return None
    return vectors.load(context.folder(StageName.ALIGN) / TEXTS)


def _pinned_version(context: Context) -> int:
    """Return the version that the snapshot saw, which may be newer than the run's request."""
    pointer = context.run.artifacts[StageName.SNAPSHOT.value]
    manifest = context.store.read_manifest(pointer["path"], sha256=pointer["sha256"])
    return int(str(manifest.meta["dataset_version"]))


def _card(context: Context, model: _Model, evaluation: dict[str, Any]) -> dict[str, Any]:
    run_, spec = context.run, context.spec
    with context.session() as session:
        cost, ratings = _cost(session, context), candidates.rating_counts(session, run_.id)
    return {
        "method": spec.method,
        "backbone": spec.backbone,
        "params": spec.params.to_json(),
        "seed": run_.seed,
        "llm": run_.llm,
        "embedder": run_.embedder,
        "prompt_version": run_.prompt_version,
        "default_graph": model.default_graph,
        "metrics": evaluation["metrics"],
        "val_without_noise": evaluation["val_without_noise"],
        "dataset_version": model.version,
        "snapshot_sha256": run_.artifacts[StageName.SNAPSHOT.value]["sha256"],
        "cost": cost,
        "ratings": ratings,
        "code_version": code_version(),
    }


def _cost(session: Session, context: Context) -> dict[str, Any]:
    """Return requests, tokens and dollars; dollars are null when a price is unknown."""
    used = usage.of_run(session, context.run.id)
    tokens = {
        name: Tokens(prompt=row["prompt_tokens"], completion=row["completion_tokens"])
        for name, row in used.items()
    }
    usd = DEFAULT_PRICES.cost(tokens, utc_now().date())
    keys = ("requests", "prompt_tokens", "completion_tokens")
    totals = {key: sum(row[key] for row in used.values()) for key in keys}
    return {**totals, "usd": None if usd is None else float(usd)}


def code_version() -> str:
    """Return Winnow's version as installed."""
    try:
        return version("winnow")
    except PackageNotFoundError:  # run from a checkout
        return "source"
