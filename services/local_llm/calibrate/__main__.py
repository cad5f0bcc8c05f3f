"""python -m services.local_llm.calibrate: derive the constants again and print the difference."""

from dataclasses import asdict
from pathlib import Path

import click
import numpy as np
import torch

from services.local_llm.calibrate.centres import derive_centres
from services.local_llm.calibrate.claim import claim, print_claim
from services.local_llm.calibrate.gold import (
    Shop,
    load_gold,
    load_shop,
    other_pairs,
    sample,
)
from services.local_llm.calibrate.report import print_held_out, print_other
from services.local_llm.calibrate.thresholds import derive_thresholds, terms
from services.local_llm.calibration import THRESHOLDS, Thresholds, load_centres, save_centres
from services.local_llm.encoder import Encoder, load_encoder
from services.local_llm.hashed import HashedTfIdf, document_frequencies, save_idf
from services.local_llm.scores import Centres

FOLDER = click.Path(exists=True, path_type=Path)


@click.command()
@click.option("--gold", type=FOLDER, required=True, help="ratings.jsonl, or its folder")
@click.option("--data", type=FOLDER, required=True, help="the texts that the ratings speak of")
@click.option("--other", type=FOLDER, required=True, help="a dataset of another kind of shop")
@click.option("--hashed", is_flag=True, help="calibrate the fallback encoder instead")
@click.option("--write", is_flag=True, help="replace the centres (and idf) that ship")
def main(*, gold: Path, data: Path, other: Path, hashed: bool, write: bool) -> None:
    """Fit on one half of the readers, report on the other; two minutes of one core."""
    torch.set_num_threads(1)
    shop = load_shop(data)
    encoder = _fallback(shop, write=write) if hashed else load_encoder()
    rated = load_gold(gold, shop)
    centres = derive_centres(encoder, shop, [r.item.asked for r in rated if r.fitted])
    if write:
        click.echo(f"wrote {save_centres(encoder.name, centres)}")
    found = terms(encoder, centres, rated, other_pairs(other, 300))
    thresholds = derive_thresholds(found)
    _print_difference(encoder, centres, thresholds)
    scores = found.rated.scores(thresholds.share)
    print_held_out(rated, scores, thresholds)
    held = found.there.of(~found.fitted_there)
    truth = found.truth[~found.fitted_there]
    print_other(truth, held.scores(thresholds.share), thresholds)
    print_claim(claim(encoder, centres, rated, scores, thresholds))


def _fallback(shop: Shop, *, write: bool) -> Encoder:
    idf = document_frequencies(sample(shop.items, 5_000) + sample(shop.users, 5_000))
    if write:
        click.echo(f"wrote {save_idf(idf)}")
    return HashedTfIdf(idf)


def _print_difference(encoder: Encoder, centres: Centres, found: Thresholds) -> None:
    click.echo(f"encoder {encoder.name}")
    kept = load_centres(encoder.name)
    for role in ("user", "item"):
        gap = np.abs(getattr(kept, role) - getattr(centres, role)).max()
        click.echo(f"centres {role}: largest difference to what ships {gap:.1e}")
    gap = abs(kept.shelf_likeness - centres.shelf_likeness)
    click.echo(f"shelf likeness {centres.shelf_likeness:.4f}, difference {gap:.1e}")
    for view, ours in asdict(THRESHOLDS[encoder.name]).items():
        new = asdict(found)[view]
        if isinstance(ours, float):
            click.echo(f"{view}: ships {ours:.1f}, derived {new:.1f}, {new - ours:+.1f}")
            continue
        for name, value in ours.items():
            gap = new[name] - value
            click.echo(f"{view}.{name}: ships {value:.3f}, derived {new[name]:.3f}, {gap:+.3f}")


if __name__ == "__main__":
    main()
