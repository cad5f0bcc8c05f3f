"""Where the core's tests compute: on the CPU, and on a GPU where torch finds one."""

import pytest
import torch

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> torch.device:
    """Each device of this machine in turn: a test that asks for it runs once on each."""
    return torch.device(request.param)
