"""Splits in slow plain Python."""

Pair = tuple[int, int]


def core(pairs: list[Pair], *, min_user_degree: int, min_item_degree: int) -> set[Pair]:
    """Remove one too small user or item at a time until there is none."""
    left = set(pairs)
    while True:
        for side, least in ((0, min_user_degree), (1, min_item_degree)):
            ends = [pair[side] for pair in left]
            small = next((end for end in ends if ends.count(end) < least), None)
            if small is not None:
                left = {pair for pair in left if pair[side] != small}
                break
        else:
            return left


def leave_last(pairs: list[Pair], times: list[int]) -> dict[Pair, str]:
    """Sort each user's items by (time, item) and give the last two away."""
    parts = dict.fromkeys(pairs, "train")
    for user in {user for user, _ in pairs}:
        rows = [(t, pair) for t, pair in zip(times, pairs, strict=True) if pair[0] == user]
        latest = [pair for _, pair in sorted(rows)]
        if len(latest) >= 3:
            parts[latest[-1]], parts[latest[-2]] = "test", "val"
    return parts
