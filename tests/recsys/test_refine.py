"""Refining: the table of verdicts, the three rules, and every limit against slow Python."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.recsys.data import Interactions
from services.recsys.refine import RefineConfig, Refinement, most_drops, refine
from services.recsys.verdicts import LABELS, MISSING, RatedPairs
from tests.spec import oracle_refine as oracle
from tests.spec.oracle_refine import Said

GRAPH = Interactions.build(
    users=[0, 0, 0, 0, 1, 2, 2], items=[0, 1, 2, 3, 0, 1, 2], n_users=4, n_items=5
)
EDGES = set(zip(GRAPH.users.tolist(), GRAPH.items.tolist(), strict=True))
FREE = RefineConfig(max_dropped=1.0, max_added_per_item=9)


def rated(pairs: list[Said]) -> RatedPairs:
    return RatedPairs(
        users=np.array([said.pair[0] for said in pairs], dtype=np.int64),
        items=np.array([said.pair[1] for said in pairs], dtype=np.int64),
        user_view=np.array([LABELS.get(s.user_view or "", MISSING) for s in pairs], dtype=np.int8),
        item_view=np.array([LABELS.get(s.item_view or "", MISSING) for s in pairs], dtype=np.int8),
        scores=np.array([said.score for said in pairs], dtype=np.float64),
        person=np.array([said.person for said in pairs], dtype="<U6"),
    )


def graph_of(pairs: frozenset[tuple[int, int]]) -> Interactions:
    users, items = zip(*pairs, strict=True) if pairs else ((), ())
    return Interactions.build(users=users, items=items, n_users=4, n_items=5)


def done(found: Refinement) -> list[tuple[str, str]]:
    return list(zip(found.actions.tolist(), found.reasons.tolist(), strict=True))


def weights(found: Refinement) -> dict[tuple[int, int], float]:
    graph = found.interactions
    pairs = zip(graph.users.tolist(), graph.items.tolist(), strict=True)
    return dict(zip(pairs, graph.values().tolist(), strict=True))


@pytest.mark.parametrize(
    ("user_view", "item_view", "edge", "non_edge"),
    [
        ("High", "High", "hard", "hard"),
        ("High", "Mid", "unsure", "unsure"),
        ("Low", "High", "unsure", "unsure"),
        ("Mid", "Mid", "unsure", "unsure"),
        ("Mid", "Low", "noise", "clean"),
        ("Low", "Low", "noise", "clean"),
        (None, "Low", "unsure", "unsure"),
        ("High", None, "unsure", "unsure"),
        (None, None, "unsure", "unsure"),
    ],
)
def test_the_table_of_verdicts(
    user_view: str | None, item_view: str | None, edge: str, non_edge: str
) -> None:
    said = [Said((0, 0), user_view, item_view, 0, ""), Said((0, 4), user_view, item_view, 0, "")]
    found = refine(GRAPH, rated(said), config=FREE)
    assert found.verdicts.tolist() == [edge, non_edge]
    complete = None not in (user_view, item_view)
    assert found.decided_by.tolist() == ["llm" if complete else "none"] * 2


SAID = [
    Said((0, 0), "High", "High", 0, ""),
    Said((0, 1), "Mid", "High", 0, ""),
    Said((0, 2), "Mid", "Mid", 0, ""),
    Said((0, 3), "Low", "Mid", 0, ""),
    Said((2, 1), None, "Low", 0, ""),
    Said((2, 4), "High", "High", 0, ""),
    Said((2, 3), "Low", "High", 0, ""),
]


def test_the_papers_rule_keeps_and_adds_two_highs_only_and_nothing_unrated_changes() -> None:
    found = refine(GRAPH, rated(SAID), config=replace(FREE, rule="paper"))
    assert found.actions.tolist() == ["keep", "drop", "drop", "drop", "keep", "add", "none"]
    assert weights(found) == dict.fromkeys([(0, 0), (1, 0), (2, 1), (2, 2), (2, 4)], 1.0)


def test_the_conservative_rule_drops_a_low_without_a_high_and_adds_with_half_a_weight() -> None:
    found = refine(GRAPH, rated(SAID), config=FREE)
    assert found.actions.tolist() == ["keep", "keep", "keep", "drop", "keep", "add", "none"]
    assert weights(found) == dict.fromkeys(EDGES - {(0, 3)}, 1.0) | {(2, 4): 0.5}
    assert list(zip(found.hard.users, found.hard.items, strict=True)) == [(0, 0), (2, 4)]


def test_the_soft_rule_drops_nothing_and_weighs_by_both_labels() -> None:
    weighted = replace(GRAPH, weights=np.array([1, 1, 1, 1, 1, 3, 3], dtype=np.float32))
    low = Said((2, 2), "Low", "Low", 0, "")
    found = refine(weighted, rated([*SAID, low]), config=replace(FREE, rule="soft"))
    assert weights(found) == pytest.approx(
        {
            (0, 0): 1.0,
            (0, 1): 0.75,
            (0, 2): 0.5,
            (0, 3): 0.25,
            (1, 0): 1.0,
            (2, 1): 3.0,  # not rated: as it was
            (2, 2): 0.3,  # 3 times the floor
            (2, 4): 0.5,
        }
    )


def test_a_persons_word_wins_over_ratings_rule_and_caps_on_any_pair() -> None:
    said = [
        Said((0, 0), "High", "High", 0, "noise"),
        Said((0, 1), "Low", "Low", 0, "hard"),
        Said((0, 2), None, None, 0, "noise"),
        Said((3, 4), "Low", "Low", 0, "hard"),
        Said((1, 4), "High", "High", 0, "clean"),
        Said((2, 1), "Low", "Low", 0, "unsure"),
    ]
    strict = RefineConfig(max_dropped=0.0, max_added_per_item=0)
    for rule in ("conservative", "paper", "soft"):
        found = refine(GRAPH, rated(said), config=replace(strict, rule=rule))
        assert found.actions.tolist() == ["drop", "keep", "drop", "add", "none", "keep"]
        assert found.decided_by.tolist() == ["person"] * 6
        assert weights(found)[(3, 4)] == weights(found)[(0, 1)] == weights(found)[(2, 1)] == 1.0


@pytest.mark.parametrize("rule", ["conservative", "paper", "soft"])
@pytest.mark.parametrize(
    ("word", "edge", "non_edge"),
    [
        ("hard", "keep", "add"),
        ("noise", "drop", "none"),
        ("clean", "keep", "none"),
        ("unsure", "keep", "none"),
    ],
)
def test_what_each_word_does_to_an_edge_and_to_a_non_edge(
    word: str, edge: str, non_edge: str, rule: str
) -> None:
    against, promising = ("Low", "Low"), ("High", "High")
    for labels in (against, promising, (None, None)):  # whatever the ratings would have done
        said = [Said((0, 0), *labels, 0, word), Said((0, 4), *labels, 0, word)]
        config = replace(FREE, rule=rule)
        found = refine(GRAPH, rated(said), config=config)
        assert found.actions.tolist() == [edge, non_edge]
        assert found.verdicts.tolist() == [word, word]
        expected = dict.fromkeys(EDGES, 1.0)
        expected |= {(0, 4): 1.0} if non_edge == "add" else {}
        if edge == "drop":
            del expected[0, 0]
        assert weights(found) == expected
        in_hard = set(zip(found.hard.users.tolist(), found.hard.items.tolist(), strict=True))
        assert in_hard == ({(0, 0), (0, 4)} if word == "hard" else set())


def test_a_persons_word_carries_no_held_out_pair_into_training() -> None:
    said = [Said((2, 4), None, None, 0, "hard"), Said((2, 3), None, None, 0, "hard")]
    found = refine(GRAPH, rated(said), config=FREE, held_out=graph_of(frozenset({(2, 4)})))
    assert done(found) == [("none", "held_out"), ("add", "")]
    assert weights(found) == dict.fromkeys(EDGES | {(2, 3)}, 1.0)
    # nor may training learn of it by never drawing it as a negative
    assert list(zip(found.hard.users, found.hard.items, strict=True)) == [(2, 3)]


@pytest.mark.parametrize("rule", ["conservative", "paper", "soft"])
def test_no_rule_drops_more_than_its_share_and_tells_what_it_wanted(rule: str) -> None:
    said = [Said((0, i), "Low", "Low", 0, "") for i in range(3)] + [
        Said((2, 1), None, None, 0, "noise")  # a person's: not counted
    ]
    config = RefineConfig(rule=rule, max_dropped=0.15)  # 1 of 7
    found = refine(GRAPH, rated(said), config=config)
    wanted = int(found.wanted_drops().sum())
    assert wanted == (1 if rule == "soft" else 4)
    assert most_drops(GRAPH, config) == 1
    capped = ("keep", "share_cap")
    weighed = [("keep", "")] * 3
    by_rule = weighed if rule == "soft" else [("drop", ""), capped, capped]
    assert done(found) == [*by_rule, ("drop", "")]


def test_a_user_keeps_the_least_certain_edge_even_when_all_are_called_noise() -> None:
    said = [Said((0, i), "Low", "Mid" if i == 2 else "Low", i, "") for i in range(4)]
    said.append(Said((1, 0), None, None, 0, "noise"))
    found = refine(GRAPH, rated(said), config=FREE)
    assert done(found) == [
        ("drop", ""), ("drop", ""), ("keep", "last_edge"), ("drop", ""), ("keep", "last_edge")
    ]  # fmt: skip


def test_the_share_cap_takes_the_most_certain_first_and_ties_as_given() -> None:
    said = [
        Said((2, 1), "Low", "Mid", 0.0, ""),
        Said((0, 0), "Low", "Low", 0.7, ""),
        Said((0, 1), "Low", "Low", 0.2, ""),
        Said((0, 2), "Low", "Low", 0.7, ""),
    ]
    found = refine(GRAPH, rated(said), config=RefineConfig(max_dropped=0.3))  # floor(.3 * 7) = 2
    assert done(found) == [("keep", "share_cap"), ("drop", ""), ("drop", ""), ("keep", "share_cap")]


def test_the_item_cap_lets_the_best_scored_additions_in() -> None:
    said = [Said((u, 4), "High", "High", score, "") for u, score in enumerate([1.0, 3.0, 2.0])]
    found = refine(GRAPH, rated(said), config=RefineConfig(max_added_per_item=2))
    assert done(found) == [("none", "item_cap"), ("add", ""), ("add", "")]


def test_no_pairs_change_nothing_but_every_edge_has_a_weight() -> None:
    found = refine(GRAPH, rated([]), config=FREE)
    assert weights(found) == dict.fromkeys(EDGES, 1.0)


def test_a_repeated_pair_and_an_unknown_word_are_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        rated([Said((0, 0), "Low", "Low", 0, "")] * 2)
    with pytest.raises(ValueError, match="'spam'"):
        rated([Said((0, 0), "Low", "Low", 0, "spam")])


LABEL = st.sampled_from(["Low", "Low", "Mid", "High", "High", None])
PERSON = st.sampled_from(["", "", "", "", "noise", "hard", "clean", "unsure"])
CELL = st.tuples(st.integers(0, 3), st.integers(0, 4))


@settings(max_examples=200, deadline=None)
@given(
    st.sets(CELL, min_size=1),
    st.dictionaries(CELL, st.tuples(LABEL, LABEL, st.integers(0, 2), PERSON)),
    st.sampled_from(["conservative", "paper", "soft"]),
    st.integers(0, 10),
    st.integers(0, 3),
    st.sets(CELL),
)
def test_every_action_and_reason_equals_the_slow_oracles(
    edges: set[tuple[int, int]],
    told: dict[tuple[int, int], tuple[str | None, str | None, int, str]],
    rule: str,
    tenths: int,
    max_added: int,
    others: set[tuple[int, int]],
) -> None:
    users, items = zip(*edges, strict=True)
    held_out = frozenset(others - edges)
    graph = Interactions.build(users=users, items=items, n_users=4, n_items=5)
    pairs = [Said(pair, *words) for pair, words in told.items()]
    config = RefineConfig(rule=rule, max_dropped=tenths / 10, max_added_per_item=max_added)
    found = refine(graph, rated(pairs), config=config, held_out=graph_of(held_out))
    expected = oracle.refine(
        edges,
        pairs,
        rule=rule,
        max_dropped=tenths * len(edges) // 10,
        max_added=max_added,
        held_out=held_out,
    )
    assert done(found) == expected
    assert found.verdicts.tolist() == [oracle.verdict(said, edges) for said in pairs]
    by_ratings = sum(
        action == "drop" and not said.person
        for said, (action, _) in zip(pairs, expected, strict=True)
    )
    assert by_ratings <= tenths * len(edges) // 10
    moved = {said.pair: action for said, (action, _) in zip(pairs, expected, strict=True)}
    dropped = {pair for pair, action in moved.items() if action == "drop"}
    added = {pair for pair, action in moved.items() if action == "add"}
    assert set(weights(found)) == (edges - dropped) | added
    assert {user for user, _ in edges} <= set(found.interactions.users.tolist())
