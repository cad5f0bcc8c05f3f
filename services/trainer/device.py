"""Where training happens: decided once, here."""

from functools import lru_cache

import torch

from services.shared.errors import InvalidError
from services.shared.settings import settings


@lru_cache(maxsize=1)
def device() -> torch.device:
    """Return the device that the setting names; "auto" is the GPU where there is one.

    Raises InvalidError when a GPU is asked for and none answers.
    """
    wanted, present = settings().device, torch.cuda.is_available()
    if wanted == "auto":
        return torch.device("cuda" if present else "cpu")
    if wanted.startswith("cuda") and not present:
        raise InvalidError(f"WINNOW_DEVICE is {wanted}, but torch sees no GPU.")
    return torch.device(wanted)
