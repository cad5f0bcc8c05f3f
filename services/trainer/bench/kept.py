"""Finished shops on disk: a bench that was cut off goes on with the next one."""

import json
from pathlib import Path

from safetensors.numpy import load_file, save_file

from services.recsys.metrics import Floats
from services.shared.canonical import content_hash
from services.shared.specs import RunSpec
from services.trainer.bench.asking import MAX_CHARS, TEMPLATES
from services.trainer.bench.experiment import ARMS, METRICS, Outcome

FORMAT = 1
"""Raised when what is kept changes its meaning."""
FIGURES, USERS = "figures.json", "per_user.safetensors"


def plan_of(spec: RunSpec, *, names: dict[str, str], sizes: tuple[str, ...]) -> str:
    """Return the hash of everything that shapes a shop's outcome, its seed included."""
    prompts = {view: template.sha256 for view, template in TEMPLATES.items()}
    return content_hash(
        {
            "format": FORMAT,
            "spec": spec.to_json(),
            "prompts": prompts,
            "max_chars": MAX_CHARS,
            "names": names,
            "sizes": list(sizes),
            "arms": list(ARMS),
            "metrics": list(METRICS),
        }
    )


def load(folder: Path, plan: str) -> Outcome | None:
    """Return the outcome that stands in the folder; None if there is none of this plan."""
    path = folder / FIGURES
    if not path.exists():
        return None
    kept = json.loads(path.read_text(encoding="utf-8"))
    if kept["plan"] != plan:
        return None
    per_user: dict[str, Floats] = load_file(folder / USERS)
    return Outcome(figures=kept["figures"], per_user=per_user)


def save(folder: Path, plan: str, outcome: Outcome) -> None:
    """Write the outcome; the figures come last, and by a rename: with them it is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(dict(outcome.per_user), folder / USERS)
    half = folder / f"{FIGURES}.part"
    text = json.dumps({"plan": plan, "figures": outcome.figures}, indent=1)
    half.write_text(text, encoding="utf-8")
    half.rename(folder / FIGURES)
