"""The rater's labels and reasons."""

from pathlib import Path

import numpy as np
import pytest

from services.local_llm.calibrate.claim import claim
from services.local_llm.calibrate.domains import ITEM_FRAMES, USER_FRAMES, sentences
from services.local_llm.calibrate.gold import load_gold, load_shop, other_pairs
from services.local_llm.calibrate.thresholds import derive_thresholds, terms
from services.local_llm.calibration import THRESHOLDS, Cuts, load_centres
from services.local_llm.encoder import Encoder
from services.local_llm.hashed import HashedTfIdf
from services.local_llm.minilm import MiniLM
from services.local_llm.question import Question, View, read_question
from services.local_llm.rater import Answer, Rater, label_of
from services.local_llm.words import is_foreign, shared_words
from services.shared.errors import InvalidError, MalformedError
from services.shared.llm.delimiters import Block, wrap
from services.shared.llm.prompts import NO_TEXT

SHARED = Path(__file__).parents[3] / "shared" / "data"
READER = "Enjoys gothic mysteries set in lonely houses, with storms and old family secrets."
MYSTERY = "A governess uncovers the secrets of a lonely house: a gothic mystery full of storms."
LEDGERS = "Double-entry accounting for small firms: ledgers, tax tables and balance sheets."


def rate(encoder: Encoder, question: Question) -> Answer:
    return Rater(encoder.name).rate(question, encoder.encode(question.texts))


def test_a_matching_book_is_high_in_both_views_and_a_manual_in_none(minilm: MiniLM) -> None:
    shelf = (MYSTERY, "A detective of the moors finds a haunted manor and its buried crime.")
    tale = "A gothic tale of a haunted manor and a buried crime."
    assert rate(minilm, Question("user", (READER,), MYSTERY)).label == "High"
    assert rate(minilm, Question("user", (READER,), LEDGERS)).label != "High"
    assert rate(minilm, Question("item", shelf, tale)).label == "High"
    assert rate(minilm, Question("item", shelf, LEDGERS)).label == "Low"


def test_the_reason_names_the_local_rater_the_shared_words_and_the_numbers(minilm: MiniLM) -> None:
    reason = rate(minilm, Question("user", (READER,), MYSTERY)).reason
    assert reason.startswith("Local rater (text similarity, no LLM): shares 'mystery'") or (
        "shares 'secrets', 'gothic' and 'lonely'" in reason
    )
    assert f"at least {THRESHOLDS['minilm-l6'].user.high:.2f}" in reason


def test_no_shared_word_is_said_so(hashed: HashedTfIdf) -> None:
    answer = rate(hashed, Question("user", (READER,), LEDGERS))
    assert answer.label == "Low"
    assert "shares no telling word with the user's profile" in answer.reason


@pytest.mark.parametrize(
    ("asked", "item", "said"),
    [
        ((READER,), "嵐の夜、寂しい屋敷で起こる怪事件の物語。", "the item's text is not in Latin"),
        (("Любит готические романы.",), MYSTERY, "the user's profile is not in Latin"),
        ((READER,), " \n", "the item's text has no words"),
        (("?!",), MYSTERY, "the user's profile has no words"),
    ],
)
def test_what_cannot_be_read_is_mid_and_says_so(
    hashed: HashedTfIdf, asked: tuple[str, ...], item: str, said: str
) -> None:
    answer = rate(hashed, Question("user", asked, item))
    assert answer.label == "Mid"
    assert said in answer.reason


FOREIGN = "一个守灯塔的人讲述的海洋小说。"


@pytest.mark.parametrize("view", ["user", "item"])
def test_what_was_read_in_part_may_be_high_and_is_never_low(
    hashed: HashedTfIdf, view: View
) -> None:
    asked = (READER,) if view == "user" else (READER, MYSTERY)
    assert rate(hashed, Question(view, asked, LEDGERS)).label == "Low"
    part = rate(hashed, Question(view, asked, f"{LEDGERS} {FOREIGN}"))
    assert part.label == "Mid"
    assert part.reason.endswith("part of the texts is not in Latin script and was not read.")
    assert rate(hashed, Question(view, asked, f"{MYSTERY} {FOREIGN}")).label == "High"


def test_one_liked_item_in_another_script_leaves_the_others_to_speak_but_not_against(
    hashed: HashedTfIdf,
) -> None:
    shelf = (MYSTERY, READER, FOREIGN)
    assert rate(hashed, Question("item", shelf, MYSTERY)).label == "High"
    assert rate(hashed, Question("item", shelf[:2], LEDGERS)).label == "Low"
    assert rate(hashed, Question("item", shelf, LEDGERS)).label == "Mid"
    alone = Question("item", (FOREIGN, "…"), MYSTERY)
    assert "the liked items' text is not in Latin" in rate(hashed, alone).reason


@pytest.mark.parametrize("view", ["user", "item"])
def test_the_word_for_a_missing_text_is_no_text(hashed: HashedTfIdf, view: View) -> None:
    answer = rate(hashed, Question(view, (READER,), NO_TEXT))
    assert answer == Answer(
        "Mid",
        "Local rater (text similarity, no LLM): the item's text has no words, "
        "so nothing can be said.",
    )
    assert rate(hashed, Question(view, (NO_TEXT,), MYSTERY)).label == "Mid"


def test_a_wordless_liked_item_is_left_out_of_the_shelf(hashed: HashedTfIdf) -> None:
    alone = Question("item", (MYSTERY,), READER)
    beside = Question("item", (MYSTERY, "…"), READER)
    rater = Rater(hashed.name)
    scores = [rater.score(q, hashed.encode(q.texts)) for q in (alone, beside)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-6)


def test_latin_with_accents_is_not_foreign() -> None:
    assert not is_foreign("Żółw szedł przez łąkę, Đặng Thị Hương ♥")
    assert is_foreign("Старик и море (a novel)")


def test_shared_words_forget_plurals_and_profile_prose() -> None:
    other = ["This user enjoys ghosts and great books."]
    assert shared_words("Readers who enjoy a ghost story in great books", other) == ["ghost"]


def test_labels_turn_at_the_cuts() -> None:
    cuts = Cuts(low=0.1, high=0.2)
    assert [label_of(s, cuts) for s in (0.09, 0.1, 0.19, 0.2)] == ["Low", "Mid", "Mid", "High"]


def test_a_question_is_one_reader_or_a_shelf_and_one_item() -> None:
    shelf = [Block("liked", "a"), Block("liked", "b"), Block("item", "c")]
    assert read_question(wrap(shelf)[1]) == Question("item", ("a", "b"), "c")
    for wrong in (shelf[:2], shelf[2:], [Block("user", "u"), *shelf]):
        with pytest.raises(InvalidError, match="one `item` block"):
            read_question(wrap(wrong)[1])
    with pytest.raises(MalformedError):
        read_question(wrap(shelf)[1][:-10])


def test_the_shipped_domain_centres_are_those_of_the_hand_written_sentences(
    minilm: MiniLM,
) -> None:
    kept = load_centres("minilm-l6")
    for frames, rows in ((USER_FRAMES, kept.user), (ITEM_FRAMES, kept.item)):
        first = minilm.encode(sentences(frames)[: 3 * len(frames)]).reshape(3, len(frames), -1)
        assert np.abs(first.mean(axis=1) - rows[:3]).max() < 2e-4  # half precision


@pytest.mark.data
def test_the_shipped_constants_of_the_fallback_follow_from_the_fitting_halves(
    hashed: HashedTfIdf,
) -> None:
    gold, books, other = (
        SHARED / name for name in ("gold_ratings_amazon_books", "rlmrec_amazon_books", "xrec_yelp")
    )
    if not all(folder.is_dir() for folder in (gold, books, other)):
        pytest.skip("the rated pairs and both shops are not here")
    centres = load_centres(hashed.name)
    rated = load_gold(gold, load_shop(books))
    assert sum(pair.fitted for pair in rated) == 294
    found = terms(hashed, centres, rated, other_pairs(other, 300))
    derived, shipped = derive_thresholds(found), THRESHOLDS[hashed.name]
    assert derived.share == shipped.share
    for ours, theirs in ((derived.user, shipped.user), (derived.item, shipped.item)):
        assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.0011)
    areas = claim(hashed, centres, rated, found.rated.scores(derived.share), derived)
    # as docs/local_llm.md tells them
    assert areas.cosine.value == pytest.approx(0.671, abs=0.001)
    assert areas.llm.value == pytest.approx(0.799, abs=0.001)
    assert areas.labels.value == pytest.approx(0.636, abs=0.003)
    assert not areas.met
