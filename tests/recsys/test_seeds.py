"""Named generators: independent, repeatable, restorable."""

import json

import pytest
import torch

from services.recsys.seeds import Seeds


def test_a_names_stream_depends_on_root_and_name_only(device: torch.device) -> None:
    alone, crowded = Seeds(7), Seeds(7)
    crowded.torch("other")
    torch.rand(5, generator=crowded.torch("other", device=device), device=device)
    drawn = torch.rand(3, generator=alone.torch("views", device=device), device=device)
    assert torch.equal(
        drawn, torch.rand(3, generator=crowded.torch("views", device=device), device=device)
    )
    assert not torch.equal(
        drawn, torch.rand(3, generator=Seeds(8).torch("views", device=device), device=device)
    )
    assert not torch.equal(
        drawn, torch.rand(3, generator=Seeds(7).torch("batches", device=device), device=device)
    )


def test_the_seed_of_a_name_is_frozen() -> None:
    # sha256("7/views"), first 8 bytes, halved: computed by `printf 7/views | sha256sum`
    assert Seeds(7).integer("views") == 0xE1A19DC509BF887D >> 1


def test_a_state_through_json_goes_on_where_it_was(device: torch.device) -> None:
    seeds = Seeds(3)
    torch.rand(4, generator=seeds.torch("a", device=device), device=device)
    seeds.numpy("b").random(4)
    state = json.loads(json.dumps(seeds.state()))
    expected = (
        torch.rand(2, generator=seeds.torch("a", device=device), device=device),
        seeds.numpy("b").random(2),
    )
    again = Seeds(3)
    again.restore(state)
    assert torch.equal(
        torch.rand(2, generator=again.torch("a", device=device), device=device), expected[0]
    )
    assert again.numpy("b").random(2).tolist() == expected[1].tolist()


def test_the_state_of_another_root_is_refused() -> None:
    with pytest.raises(ValueError, match="root seed 3"):
        Seeds(4).restore(Seeds(3).state())
