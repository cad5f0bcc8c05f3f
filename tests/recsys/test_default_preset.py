"""The default preset on two circles of taste: its choices, its seeds, its refits, its newcomers."""

import json
from dataclasses import asdict, replace
from typing import Any
from weakref import ReferenceType, ref

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from services.recsys.blend import Blend, Part, Vectors
from services.recsys.closed_forms import CollectiveEase, GfCf
from services.recsys.data import Embeddings, Interactions, Split
from services.recsys.default import Choices, Default, Preset, fit, solve
from services.recsys.methods import llmhni
from services.recsys.parts import (
    EASE,
    GRAPH,
    IALS,
    EaseSetting,
    Evidence,
    GraphRecipe,
    IalsSetting,
    closed,
)
from services.recsys.readings import fitted, readings
from services.recsys.refit import refit
from tests.recsys.planted import circles

LIKED = circles(3, n_users=40, n_items=100, shown=18).clean
SMALL = Preset(
    ease=(
        EaseSetting(words=1, vectors=1, beta=1, lam=5),
        EaseSetting(words=0, vectors=0, beta=0, lam=1e6),
    ),
    ials=(IalsSetting(f=2, reg=1, alpha=5),),
    graph=GraphRecipe(config=replace(llmhni.Config.default(), d=8, epochs=2, n_shared=16)),
)


def split() -> Split:
    parts = np.arange(len(LIKED)) % 9
    return Split(*(LIKED.where(np.isin(parts, some)) for some in (range(6), (6,), (7, 8))))


def evidence(*, refined: Interactions | None = None) -> Evidence:
    rng = np.random.default_rng(7)
    sides = [np.eye(4)[np.arange(n) % 2] + 0.1 * rng.normal(size=(n, 4)) for n in (40, 100)]
    users, items = (torch.from_numpy(side).float() for side in sides)
    words = csr_matrix(np.eye(2, dtype=np.float32)[np.arange(100) % 2])
    return Evidence(words=words, texts=Embeddings(users, items), refined=refined)


@pytest.fixture(scope="module")
def known() -> Evidence:
    return evidence()


@pytest.fixture(scope="module")
def found(known: Evidence) -> Default:
    return fit(split(), known, preset=SMALL, seed=4)


def test_the_blend_is_no_worse_than_any_part_on_what_it_was_chosen_by(found: Default) -> None:
    assert found.value >= max(part.value for part in found.parts.values()) - 1e-6


def test_validation_takes_the_better_setting(found: Default) -> None:
    first = replace(SMALL, ease=SMALL.ease[::-1], plain=(), ials=(), graph=None)
    other = fit(split(), evidence(), preset=first)
    assert found.choices.ease == 0
    assert other.parts[EASE].value >= found.parts[EASE].value - 1e-6


def test_the_same_seed_gives_the_same_bytes_and_another_shares_what_has_none(
    found: Default, known: Evidence
) -> None:
    again = fit(split(), known, preset=SMALL, seed=4)
    everyone = np.arange(40)
    assert again.choices == found.choices
    assert (
        again.blend.score_block(everyone).tobytes() == found.blend.score_block(everyone).tobytes()
    )
    solved = solve(split(), known, preset=SMALL)
    other = fit(split(), known, preset=SMALL, seed=5, solved=solved)
    assert other.parts[EASE].model is solved[EASE].model
    assert not {IALS, GRAPH} & solved.keys()


def test_a_refit_on_the_same_edges_is_the_same_model(found: Default, known: Evidence) -> None:
    blend = refit(split().train, known, found.choices, preset=SMALL, seed=4)
    everyone = np.arange(40)
    asked = {part.name for part in blend.parts}
    assert asked == {name for name, weight in found.choices.weights.items() if weight}
    np.testing.assert_allclose(
        blend.score_block(everyone), found.blend.score_block(everyone), rtol=1e-4, atol=1e-5
    )


def test_every_part_is_fitted_on_the_refined_graph_where_validation_prefers_it() -> None:
    own = split()
    users, items = np.divmod(np.arange(40 * 100), 100)
    wrong = (users % 2 != items % 2) & (np.random.default_rng(9).random(40 * 100) < 0.15)
    noise = Interactions.build(users=users[wrong], items=items[wrong], n_users=40, n_items=100)
    noisy = replace(own, train=own.train.union(noise))
    refined = own.train
    preset = replace(SMALL, graph=None)
    raw = fit(noisy, evidence(), preset=preset)
    helped = fit(noisy, evidence(refined=refined), preset=preset)
    assert helped.choices.sources[EASE] == "refined"
    assert set(raw.choices.sources.values()) == {"raw"}
    assert helped.value >= raw.value


@pytest.mark.parametrize("name", [EASE, "GF-CF", IALS])
def test_a_part_can_be_solved_on_the_graph_and_read_histories_of_another(name: str) -> None:
    own, known = split().train, evidence()
    setting = {EASE: SMALL.ease[0], IALS: SMALL.ials[0]}.get(name)
    weights = np.random.default_rng(2).uniform(0.1, 1, len(own)).astype(np.float32)
    graphs = {"raw": own, "refined": replace(own, weights=weights)}
    found = dict(readings(closed(name, setting, known).fit(own), "raw", graphs))
    assert list(found) == ["raw", "raw, read as refined"]
    everyone = np.arange(40)
    scores = {read: model.score_block(everyone) for read, model in found.items()}
    assert not np.allclose(*scores.values(), atol=1e-3)
    for read, expected in scores.items():
        again = fitted(closed(name, setting, known), read, graphs)
        np.testing.assert_allclose(again.score_block(everyone), expected, atol=1e-5)
    refined = graphs["refined"]
    assert [*dict(readings(closed(name, setting, known).fit(refined), "refined", graphs))] == [
        "refined"
    ]


def milder(train: Interactions) -> Interactions:
    weights = np.random.default_rng(2).uniform(0.1, 1, len(train)).astype(np.float32)
    return replace(train, weights=weights)


@pytest.mark.parametrize("name", [EASE, "GF-CF", IALS])
@pytest.mark.parametrize("read", ["raw", "refined", "raw, read as refined", "raw, read as mild"])
def test_a_refit_solves_and_reads_what_was_chosen(name: str, read: str) -> None:
    own = split().train
    known = replace(evidence(refined=milder(own)), more={"mild": own.where(own.items % 5 > 0)})
    choices = replace(OF_EASE, ease=0, sources={name: read}, weights={name: 1.0})
    blend = refit(own, known, choices, preset=SMALL, seed=4)
    setting = {EASE: SMALL.ease[0], IALS: SMALL.ials[0]}.get(name)
    alone = fitted(closed(name, setting, known, seed=4), read, known.graphs(own))
    everyone = np.arange(40)
    expected = Blend([Part(name, alone)], "raw").score_block(everyone)
    np.testing.assert_allclose(blend.score_block(everyone), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        (GRAPH, "raw, read as refined"),
        (GRAPH, "mild"),
        (EASE, "raw, read as raw"),
        (EASE, "raw, read as harsh"),
        (IALS, "refined, read as mild"),
    ],
)
def test_a_source_that_a_part_does_not_have_is_refused_before_anything_is_trained(
    name: str, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = split().train
    known = replace(evidence(refined=milder(own)), more={"mild": own})
    choices = replace(
        OF_EASE, ease=0, epochs=1, weights={"GF-CF": 1.0, name: 1.0}, sources={"GF-CF": "raw"}
    )
    choices.sources[name] = source
    monkeypatch.setattr(GfCf, "fit", lambda *_: pytest.fail("trained in vain"))
    with pytest.raises(ValueError, match=f"{name} was chosen on the {source} graph: there is"):
        refit(own, known, choices, preset=SMALL)


def test_two_solutions_are_held_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    own, made, held = split(), list[ReferenceType[Any]](), list[int]()
    solved = CollectiveEase._solve

    def look(model: CollectiveEase, R: csr_matrix) -> None:
        solved(model, R)
        made.append(ref(model.B))  # which readings share
        held.append(sum(one() is not None for one in made))

    monkeypatch.setattr(CollectiveEase, "_solve", look)
    known = evidence(refined=milder(own.train))
    solve(own, known, preset=replace(NOTHING, ease=(*SMALL.ease, SMALL.ease[0])))
    assert len(held) == 6
    assert max(held) == 2


def test_without_texts_the_preset_is_what_interactions_alone_can_do() -> None:
    plain = fit(split(), Evidence(), preset=replace(SMALL, graph=None))
    assert set(plain.parts) == {EASE, "GF-CF", IALS}


@pytest.mark.parametrize("name", ["words", "vectors", "GFCF"])
def test_a_part_without_its_text_is_refused_and_made_of_nothing_else(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} has no text to be made of, or is no part"):
        closed(name, None, Evidence())


@pytest.mark.parametrize("name", ["raw", "refined", "raw, read as mild"])
def test_another_reading_cannot_take_the_name_of_a_graph(name: str) -> None:
    with pytest.raises(ValueError, match=f"cannot be named {name}"):
        Evidence(more={name: LIKED})


NOTHING = Preset(ease=(), plain=(), ials=(), graph=None)
OF_EASE = Choices(
    ease=1, ials=0, sources={EASE: "raw"}, epochs=0, weights={EASE: 1.0, IALS: 0.0}, scale="raw"
)


@pytest.mark.parametrize(
    ("preset", "choices", "told"),
    [
        (replace(NOTHING, ease=SMALL.ease[:1]), OF_EASE, f"setting 1 of {EASE} was chosen"),
        (NOTHING, OF_EASE, f"setting 1 of {EASE} was chosen: the preset has 0"),
        (SMALL, replace(OF_EASE, sources={}), f"{EASE} was chosen on the None graph"),
        (
            SMALL,
            replace(OF_EASE, sources={EASE: "refined"}),
            r"on the refined graph: there is \['raw'\]",
        ),
        (
            NOTHING,
            replace(OF_EASE, weights={GRAPH: 1.0}, sources={GRAPH: "raw"}, epochs=2),
            f"{GRAPH} was chosen: the preset has none",
        ),
        (
            SMALL,
            replace(OF_EASE, weights={"BM25": 1.0}, sources={"BM25": "raw"}),
            "BM25 was chosen: no part bears that name",
        ),
        (SMALL, replace(OF_EASE, weights={EASE: 0.0}), "the choices give no part a weight"),
    ],
)
def test_a_refit_of_what_preset_or_evidence_lack_is_refused(
    known: Evidence, preset: Preset, choices: Choices, told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        refit(split().train, known, choices, preset=preset)


def test_a_refit_without_the_text_that_was_chosen_is_refused() -> None:
    choices = replace(OF_EASE, weights={"words": 1.0}, sources={"words": "raw"})
    with pytest.raises(ValueError, match="words was chosen: its text is missing"):
        refit(split().train, Evidence(), choices, preset=SMALL)


def test_a_refit_that_would_make_another_model_is_refused(found: Default, known: Evidence) -> None:
    train = split().train
    with pytest.raises(ValueError, match=r"made with texts \['words', 'vectors'\]: .* has \[\]"):
        refit(train, Evidence(), found.choices, preset=SMALL)
    other = replace(SMALL, ease=tuple(replace(one, lam=one.lam + 1) for one in SMALL.ease))
    with pytest.raises(ValueError, match=f"{EASE} was chosen with EaseSetting.*: this preset has"):
        refit(train, known, found.choices, preset=other)
    told = asdict(found.choices)  # as a bench keeps them
    again = Choices(**json.loads(json.dumps(told)))
    assert refit(train, known, again, preset=SMALL, seed=4).scale == found.choices.scale


@pytest.mark.parametrize("preset", [NOTHING, replace(NOTHING, plain=("words", "vectors"))])
def test_a_preset_of_which_nothing_can_be_made_is_refused(preset: Preset) -> None:
    with pytest.raises(ValueError, match="has no part, or none whose texts are there"):
        fit(split(), Evidence(), preset=preset)


def test_what_was_to_be_solved_must_be_there(known: Evidence) -> None:
    with pytest.raises(ValueError, match=f"solved lacks {EASE}, GF-CF: parts of the preset"):
        fit(split(), known, preset=SMALL, solved={})


def test_a_split_that_cannot_choose_is_refused_before_anything_is_fitted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(CollectiveEase, "fit", lambda *_: pytest.fail("trained in vain"))
    own = split()
    nothing = own.train.where(np.zeros(len(own.train), dtype=bool))
    for wrong, told in (
        (replace(own, train=nothing), "train is empty"),
        (replace(own, val=own.train), f"validation holds {len(own.train)} pairs of train"),
        (replace(own, train=own.train.union(own.val)), f"holds {len(own.val)} pairs of train"),
    ):
        for ask in (fit, solve):
            with pytest.raises(ValueError, match=told):
                ask(wrong, Evidence(), preset=SMALL)


def test_evidence_of_another_shop_is_told_by_its_rows(known: Evidence) -> None:
    assert known.words is not None
    assert known.texts is not None
    less = Embeddings(known.texts.users[1:], known.texts.items)
    other = Interactions.build(users=[0], items=[0], n_users=40, n_items=99)
    for wrong, told in (
        (replace(known, words=known.words[:90]), "words has 90 rows: one for each of the 100"),
        (replace(known, texts=less), r"texts\.users has 39 rows: one for each of the 40 users"),
        (replace(known, refined=other), "refined is a graph of 40 users and 99 items, not of"),
        (replace(known, more={"mild": other}), "mild is a graph of 40 users and 99 items"),
    ):
        for ask in (
            lambda one: fit(split(), one, preset=SMALL),
            lambda one: solve(split(), one, preset=SMALL),
            lambda one: refit(split().train, one, OF_EASE, preset=SMALL),
        ):
            with pytest.raises(ValueError, match=told):
                ask(wrong)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_a_word_without_a_finite_weight_is_told_by_its_place(known: Evidence, wrong: float) -> None:
    assert known.words is not None
    words = known.words.copy()
    words[7, 1] = wrong
    with pytest.raises(ValueError, match=rf"words\[7, 1\] is {wrong}: a word's weight must be"):
        fit(split(), replace(known, words=words), preset=SMALL)


def test_a_newcomer_is_folded_in_by_history_and_text(found: Default, known: Evidence) -> None:
    rows = split().train.csr()[:4]
    assert known.texts is not None
    scores = found.blend.score_rows(rows, known.texts.users.numpy()[:4])
    own = np.arange(4)[:, None] % 2 == np.arange(100)[None, :] % 2
    assert scores.shape == (4, 100)
    assert scores[own].mean() > scores[~own].mean()


def test_a_known_users_history_and_raw_vector_are_scored_as_that_user(known: Evidence) -> None:
    model = closed(EASE, SMALL.ease[0], known).fit(split().train)
    rows, texts = split().train.csr()[:6], known.texts
    assert isinstance(model, CollectiveEase)
    assert texts is not None
    folded = Blend([Part(EASE, model)]).score_rows(rows, texts.users.numpy()[:6])
    np.testing.assert_allclose(folded, model.score_block(np.arange(6)), rtol=1e-4, atol=1e-5)
    silent = model.score_texts(np.zeros((1, 4), dtype=np.float32))
    assert not silent.any()  # a missing text is no text far from the mean


def test_the_graph_model_trains_on_the_device_and_its_vectors_come_back(
    known: Evidence, device: torch.device
) -> None:
    found = fit(split(), known, preset=SMALL, device=device)
    again = refit(split().train, known, found.choices, preset=SMALL, device=device)
    model = found.parts[GRAPH].model
    assert isinstance(model, Vectors)
    assert model.embeddings.users.device.type == "cpu"
    assert again.score_block(np.arange(3)).shape == (3, 100)
