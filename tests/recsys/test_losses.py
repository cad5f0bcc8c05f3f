"""Losses against plain Python, numbers by hand and finite differences."""

from functools import partial
from math import log

import pytest
import torch

from services.recsys import losses
from tests.recsys.planted import vectors
from tests.spec import slow_losses as slow


def test_bpr_of_a_tie_is_ln_2_and_falls_with_the_margin(device: torch.device) -> None:
    found = losses.bpr(
        positive=torch.tensor([1.0, 2.0], device=device),
        negative=torch.tensor([1.0, 0.0], device=device),
    )
    # ln(1 + e^-2) = .126928
    assert found.tolist() == pytest.approx([log(2), 0.126928], abs=1e-6)


def test_bpr_stays_finite_and_linear_far_on_the_wrong_side(device: torch.device) -> None:
    found = losses.bpr(
        positive=torch.tensor([0.0], device=device), negative=torch.tensor([1e4], device=device)
    )
    assert found.tolist() == [1e4]


def test_bpr_equals_slow_python(device: torch.device) -> None:
    positive, negative = vectors(1, 6).to(device), vectors(2, 6).to(device)
    expected = [slow.bpr(p, n) for p, n in zip(positive.tolist(), negative.tolist(), strict=True)]
    found = losses.bpr(positive=positive, negative=negative)
    assert found.tolist() == pytest.approx(expected, abs=1e-12)


def test_sampled_softmax_equals_slow_python_without_the_wrong_negatives(
    device: torch.device,
) -> None:
    positive, negative = vectors(1, 4).to(device), vectors(2, 4, 5).to(device)
    wrong = torch.zeros(4, 5, dtype=torch.bool, device=device)
    wrong[0, 2] = wrong[3, 0] = wrong[3, 4] = True
    found = losses.sampled_softmax(positive=positive, negative=negative, tau=0.3, wrong=wrong)
    expected = [
        slow.sampled_softmax(float(positive[row]), negative[row][~wrong[row]].tolist(), tau=0.3)
        for row in range(4)
    ]
    assert found.tolist() == pytest.approx(expected, abs=1e-12)


def test_sampled_softmax_of_equal_scores_is_the_log_of_their_number(device: torch.device) -> None:
    found = losses.sampled_softmax(
        positive=torch.zeros(1, device=device),
        negative=torch.zeros(1, 7, device=device),
        tau=0.1,
        wrong=torch.zeros(1, 7, dtype=torch.bool, device=device),
    )
    assert found.tolist() == pytest.approx([log(8)], abs=1e-6)


@pytest.mark.parametrize("tau", [0.5, 0.02])
def test_infonce_equals_slow_python_and_spares_positives_of_one_name(
    device: torch.device, tau: float
) -> None:
    users, items = vectors(3, 4, 3).to(device), vectors(4, 3, 3).to(device)
    u, i = (torch.tensor(side, device=device) for side in ([3, 0, 1, 2, 0], [1, 0, 1, 2, 2]))
    found = losses.infonce(anchors=users, positives=items, tau=tau, pairs=(u, i))
    expected = slow.infonce(users[u].tolist(), items[i].tolist(), tau=tau, names=i.tolist())
    assert found.tolist() == pytest.approx(expected, abs=1e-12)
    alike = losses.infonce(anchors=users[:3], positives=items, tau=tau)
    expected = slow.infonce(users[:3].tolist(), items.tolist(), tau=tau)
    assert alike.tolist() == pytest.approx(expected, abs=1e-12)


def test_the_gradient_of_infonce_of_rows_told_apart_agrees_with_finite_differences() -> None:
    users, items = vectors(3, 4, 3).requires_grad_(), vectors(4, 3, 3).requires_grad_()
    u, i = torch.tensor([3, 0, 1, 2, 0]), torch.tensor([1, 0, 1, 2, 2])

    def summed(anchors: torch.Tensor, positives: torch.Tensor) -> torch.Tensor:
        each = losses.infonce(anchors=anchors, positives=positives, tau=0.3, pairs=(u, i))
        return (each * torch.arange(1.0, 6.0)).sum()

    assert torch.autograd.gradcheck(summed, (users, items))


@pytest.mark.parametrize("tau", [0.5, 0.02])
def test_likeness_in_bf16_gives_nearly_the_same_losses_and_gradients(tau: float) -> None:
    users, items = vectors(3, 40, 8).float(), vectors(4, 30, 8).float()
    pairs = (torch.arange(60) % 40, torch.arange(60) * 7 % 30)
    found = []
    for dtype in (torch.float32, torch.bfloat16):
        own = (users.clone().requires_grad_(), items.clone().requires_grad_())
        each = losses.infonce(anchors=own[0], positives=own[1], tau=tau, pairs=pairs, dtype=dtype)
        found.append((each, *torch.autograd.grad(each.mean(), own)))
    for exact, near in zip(*found, strict=True):
        assert near.dtype == torch.float32
        assert not torch.equal(near, exact)
    (exact, *slopes), (near, *close) = found
    # a bf16 keeps 8 bits, of logits up to 1 / tau
    torch.testing.assert_close(near, exact, rtol=0.05, atol=0.01 / tau)
    for own, other in zip(slopes, close, strict=True):
        assert float((other - own).norm()) <= 0.02 * float(own.norm())


def test_likeness_is_made_as_the_anchors_are_or_in_bf16_and_in_nothing_else() -> None:
    a, p = vectors(3, 4, 3).float(), vectors(4, 4, 3).float()
    as_given = losses.infonce(anchors=a, positives=p, tau=0.5)
    assert torch.equal(
        losses.infonce(anchors=a, positives=p, tau=0.5, dtype=torch.float32), as_given
    )
    for dtype in (torch.float16, torch.float64):
        with pytest.raises(ValueError, match=r"dtype must be torch\.float32, as the"):
            losses.infonce(anchors=a, positives=p, tau=0.5, dtype=dtype)


def test_infonce_stays_finite_at_a_temperature_where_exponentials_do_not() -> None:
    a = torch.tensor([[1.0, 0.0]], requires_grad=True)
    p = torch.tensor([[-1.0, 0.0], [0.9, 0.1]])
    at = (torch.tensor([0, 0, 0]), torch.tensor([0, 1, 1]))
    found = losses.infonce(anchors=a, positives=p, tau=1e-3, pairs=at)
    far = 1000 * (1 + 0.9 / 0.82**0.5) + log(2)  # the near one is there twice
    assert found.tolist() == pytest.approx([far, 0, 0], rel=1e-5, abs=1e-3)
    found.sum().backward()  # type: ignore[no-untyped-call] # torch's own
    assert a.grad is not None
    assert bool(a.grad.isfinite().all())


def test_infonce_of_twins_is_never_below_zero_nor_unbounded() -> None:
    # one positive of every pair: nothing to contrast with, and rounding on either side of 0
    for seed in range(20):
        a, p = vectors(seed, 1, 8).float(), vectors(seed + 50, 1, 8).float()
        at = (torch.zeros(500, dtype=torch.long), torch.zeros(500, dtype=torch.long))
        found = losses.infonce(anchors=a.requires_grad_(), positives=p, tau=0.01, pairs=at)
        assert float(found.detach().min()) >= 0
        assert float(found.detach().max()) < 0.01
        found.sum().backward()  # type: ignore[no-untyped-call] # torch's own
        assert a.grad is not None
        assert bool(a.grad.isfinite().all())


def test_infonce_sees_directions_not_lengths(device: torch.device) -> None:
    anchors, positives = vectors(3, 5, 3).to(device), vectors(4, 5, 3).to(device)
    short = losses.infonce(anchors=anchors, positives=positives, tau=0.5)
    long = losses.infonce(anchors=9 * anchors, positives=0.1 * positives, tau=0.5)
    assert long.tolist() == pytest.approx(short.tolist(), abs=1e-12)


def test_l2_by_hand(device: torch.device) -> None:
    users = torch.tensor([[1.0, 2.0], [0.0, 0.0]], device=device)
    items = torch.tensor([[3.0, 0.0], [0.0, 1.0]], device=device)
    # squares sum to 15, over twice 2 rows
    assert float(losses.l2(users, items)) == 3.75


def test_a_weighted_mean_divides_by_the_weights_not_by_the_number(device: torch.device) -> None:
    values, weights = (torch.tensor(t, device=device) for t in ([2.0, 8.0], [0.5, 2.5]))
    # 1 + 20 = 21, over weights of 3
    assert float(losses.weighted_mean(values, weights)) == 7.0


def test_the_gradient_of_bpr_by_hand(device: torch.device) -> None:
    positive = torch.tensor([1.0, 2.0], device=device, requires_grad=True)
    negative = torch.tensor([1.0, 0.0], device=device, requires_grad=True)
    losses.bpr(positive=positive, negative=negative).sum().backward()
    # -sigmoid(y_uj - y_ui): 1/2 on a tie, 1 / (1 + e^2) = .119203 at a margin of 2
    for scores, sign in ((positive, -1), (negative, 1)):
        assert scores.grad is not None
        assert scores.grad.tolist() == pytest.approx([sign * 0.5, sign * 0.119203], abs=1e-6)


def test_the_gradient_of_the_softmax_by_hand(device: torch.device) -> None:
    positive = torch.zeros(1, device=device, requires_grad=True)
    negative = torch.zeros(1, 4, device=device, requires_grad=True)
    wrong = torch.tensor([[False, True, False, False]], device=device)
    losses.sampled_softmax(positive=positive, negative=negative, tau=0.5, wrong=wrong).backward()
    # four candidates of share 1/4, over tau: (1/4 - 1) / .5 and 1/4 / .5; none for a wrong one
    assert positive.grad is not None
    assert negative.grad is not None
    assert positive.grad.tolist() == pytest.approx([-1.5])
    assert negative.grad[0].tolist() == pytest.approx([0.5, 0.0, 0.5, 0.5])


def test_the_gradient_of_infonce_by_hand(device: torch.device) -> None:
    anchors = torch.tensor([[1.0, 0.0], [1.0, 0.0]], device=device, requires_grad=True)
    positives = torch.tensor([[2.0, 0.0], [0.0, 3.0]], device=device)
    losses.infonce(anchors=anchors, positives=positives, tau=1.0)[0].backward()
    # d cos(a, p_l) / da is 0 along a; across it p_0 gives 0 and p_1 gives 1, whose share is
    # 1 / (1 + e) = .268941
    assert anchors.grad is not None
    assert anchors.grad.flatten().tolist() == pytest.approx([0, 0.268941, 0, 0], abs=1e-6)


def test_the_gradients_of_the_l2_term_and_of_a_weighted_mean_by_hand(device: torch.device) -> None:
    x = torch.tensor([[1.0, 2.0], [0.0, -4.0]], device=device, requires_grad=True)
    losses.l2(x).backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[0.5, 1.0], [0.0, -2.0]]  # x over B = 2 rows
    pairs = torch.tensor([2.0, 8.0], device=device, requires_grad=True)
    losses.weighted_mean(pairs, torch.tensor([0.5, 1.5], device=device)).backward()
    assert pairs.grad is not None
    assert pairs.grad.tolist() == [0.25, 0.75]


def test_the_gradients_agree_with_finite_differences(device: torch.device) -> None:
    a, b, wide = (v.to(device) for v in (vectors(5, 4), vectors(6, 4), vectors(7, 4, 3)))
    wrong = torch.zeros(4, 3, dtype=torch.bool, device=device)
    wrong[1, 2] = True
    pairs = (torch.arange(4, device=device), torch.tensor([0, 1, 0, 2], device=device))
    check = partial(torch.autograd.gradcheck, atol=1e-6)
    for tensor in (a, b, wide):
        tensor.requires_grad_()
    other = vectors(8, 4, 3).to(device).requires_grad_()
    assert check(lambda p, n: losses.bpr(positive=p, negative=n), (a, b))
    assert check(
        lambda p, n: losses.sampled_softmax(positive=p, negative=n, tau=0.2, wrong=wrong),
        (a, wide),
    )
    assert check(
        lambda x, y: losses.infonce(anchors=x, positives=y, tau=0.3, pairs=pairs),
        (wide, other),
    )
    assert check(losses.l2, (wide, other))
    assert check(losses.weighted_mean, (a, b.detach().abs().requires_grad_()))
