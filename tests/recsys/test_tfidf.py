"""TF-IDF against counting by hand."""

from typing import cast

import numpy as np
import pytest

from services.recsys.tfidf import tf_idf
from tests.spec import oracle_closed_forms as oracle

TEXTS = ["dark space opera opera", "space war", "quiet war novel", "dark quiet", "only here", ""]


def test_rows_are_what_counting_by_hand_gives() -> None:
    found, expected = tf_idf(TEXTS).toarray(), oracle.tf_idf(TEXTS)
    words = sorted({word for row in expected.values() for word in row})
    assert words == ["dark", "quiet", "space", "war"]
    by_hand = [[expected[n].get(word, 0.0) for word in words] for n in range(len(TEXTS))]
    np.testing.assert_allclose(found, by_hand, atol=1e-6)


def test_letters_of_any_script_make_words_and_case_does_not_matter() -> None:
    found = tf_idf(["Тёмный ЛЕС", "тёмный лес", "x", "other"]).toarray()
    np.testing.assert_allclose(found[0], found[1])
    assert found[0].tolist() != found[3].tolist() == found[2].tolist()


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        ("dark space opera", "texts is one string: a list of strings is wanted"),
        (b"dark space opera", "texts is one string: a list of strings is wanted"),
        (["dark", None, 3], r"texts\[1\] is None: no string; a missing text is ''"),
        (["dark", "space", float("nan")], r"texts\[2\] is nan: no string"),
        ([["dark"], "space"], r"texts\[0\] is \['dark'\]: no string"),
    ],
)
def test_what_is_no_list_of_texts_is_refused_with_its_place(texts: object, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        tf_idf(cast("list[str]", texts))


def test_texts_without_a_common_word_have_rows_of_no_width() -> None:
    assert tf_idf(["one", "two", ""]).shape == (3, 0)
