"""The evaluator in slow plain Python: lists, sets and loops, no array library."""

import math

Pairs = list[tuple[int, int]]


def items_by_user(pairs: Pairs) -> dict[int, set[int]]:
    """Group the items of each user."""
    grouped: dict[int, set[int]] = {}
    for user, item in pairs:
        grouped.setdefault(user, set()).add(item)
    return grouped


def ranking(scores: list[float], hidden: set[int]) -> list[int]:
    """Rank all items that are not hidden: higher score first, on a tie the lower index."""
    shown = [item for item in range(len(scores)) if item not in hidden]
    return sorted(shown, key=lambda item: (-scores[item], item))


def recall(ranked: list[int], wanted: set[int], k: int) -> float:
    """Hits among the first k, divided by all that was wanted."""
    return sum(1 for item in ranked[:k] if item in wanted) / len(wanted)


def ndcg(ranked: list[int], wanted: set[int], k: int) -> float:
    """Discounted gain over the gain of a perfect list of min(|wanted|, k) hits."""
    gain = 0.0
    for position, item in enumerate(ranked[:k], start=1):
        if item in wanted:
            gain += 1 / math.log2(position + 1)
    ideal = 0.0
    for position in range(1, min(len(wanted), k) + 1):
        ideal += 1 / math.log2(position + 1)
    return gain / ideal


def evaluate(
    scores: list[list[float]], target: Pairs, mask: Pairs, ks: list[int]
) -> dict[str, dict[int, float]]:
    """Return "recall@k" and "ndcg@k" of every user who has something in `target`."""
    wanted, hidden = items_by_user(target), items_by_user(mask)
    figures: dict[str, dict[int, float]] = {}
    for user in sorted(wanted):
        ranked = ranking(scores[user], hidden.get(user, set()))
        for k in ks:
            figures.setdefault(f"recall@{k}", {})[user] = recall(ranked, wanted[user], k)
            figures.setdefault(f"ndcg@{k}", {})[user] = ndcg(ranked, wanted[user], k)
    return figures


def auc(scores: list[float], labels: list[bool]) -> float:
    """Share of (positive, negative) pairs in the right order, ties counting half."""
    won = 0.0
    rivals = 0
    for positive, is_positive in zip(scores, labels, strict=True):
        for negative, is_negative_positive in zip(scores, labels, strict=True):
            if is_positive and not is_negative_positive:
                rivals += 1
                won += 1.0 if positive > negative else 0.5 if positive == negative else 0.0
    return won / rivals
