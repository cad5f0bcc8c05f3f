"""RecBole's own LightGCN for some steps, as a program for an environment that has RecBole.

python recbole_lightgcn.py PAIRS.npz FOLDER SETTINGS: prints the CPU seconds of every step as JSON.
It stands alone: in that environment nothing of this project is installed.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import torch

for _old, _new in (("float_", "float64"), ("complex_", "complex128"), ("unicode_", "str_")):
    if not hasattr(np, _old):  # RecBole 1.2.1 is older than numpy 2
        setattr(np, _old, getattr(np, _new))
if not hasattr(sp.dok_matrix, "_update"):  # and than scipy 1.13
    setattr(sp.dok_matrix, "_update", lambda matrix, cells: matrix._dict.update(cells))  # noqa: B010, SLF001 - a name that RecBole calls and scipy no longer has


def main(pairs: Path, folder: Path, settings: dict[str, float]) -> list[float]:
    """Return the CPU seconds of each step of the first epoch, with its batch and its negatives."""
    from recbole.config import Config  # type: ignore[import-not-found] # noqa: PLC0415 - see above
    from recbole.data import (  # type: ignore[import-not-found] # noqa: PLC0415
        create_dataset,
        data_preparation,
    )
    from recbole.model.general_recommender import (  # type: ignore[import-not-found] # noqa: PLC0415
        LightGCN,
    )

    _write(pairs, folder)
    config = Config(model="LightGCN", dataset="pairs", config_dict=_config(folder, settings))
    dataset = create_dataset(config)
    batches, _, _ = data_preparation(config, dataset)
    model = LightGCN(config, batches.dataset)
    adam = torch.optim.Adam(model.parameters(), lr=settings["lr"])  # as Trainer builds it
    seconds: list[float] = []
    began = time.process_time()
    for batch in batches:  # the body of Trainer._train_epoch
        adam.zero_grad()
        loss = model.calculate_loss(batch)
        loss.backward()
        adam.step()
        ended = time.process_time()
        seconds.append(ended - began)
        if len(seconds) == settings["steps"]:
            break
        began = ended
    return seconds


def _write(pairs: Path, folder: Path) -> None:
    arrays = np.load(pairs)
    (folder / "pairs").mkdir(parents=True, exist_ok=True)
    with (folder / "pairs" / "pairs.inter").open("w", encoding="utf-8") as file:
        file.write("user_id:token\titem_id:token\n")
        file.writelines(
            f"{u}\t{i}\n" for u, i in zip(arrays["users"], arrays["items"], strict=True)
        )


def _config(folder: Path, settings: dict[str, float]) -> dict[str, object]:
    return {
        "data_path": str(folder),
        "checkpoint_dir": str(folder / "saved"),
        "embedding_size": 64,
        "n_layers": int(settings["layers"]),
        "reg_weight": 1e-4,
        "train_batch_size": int(settings["batch"]),
        # every pair trains; RecBole insists on parts to validate and to test on
        "eval_args": {
            "split": {"RS": [1.0, 0.0, 0.0]},
            "order": "RO",
            "group_by": None,
            "mode": "full",
        },
        "use_gpu": False,
        "show_progress": False,
        "state": "ERROR",
        "seed": 0,
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps(main(Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3]))))
