"""Two questions share a key exactly when nothing that can change the answer differs."""

import hashlib
from dataclasses import replace

import pytest

from services.shared.canonical import canonical_json, content_hash
from services.shared.llm.cache_key import messages_key, rating_key, text_key
from services.shared.llm.prompts import (
    RATE_ITEM_VIEW,
    RATE_USER_VIEW,
    ItemQuestion,
    UserQuestion,
    render,
)
from services.shared.llm.protocol import ChatRequest

PARAMETERS = {"temperature": 0.0, "max_tokens": 200, "seed": None, "response_format": "json_schema"}
QUESTION = UserQuestion(user="likes tea", item="a pot")
BASE = {
    "template": RATE_USER_VIEW,
    "question": QUESTION,
    "model": "m",
    "parameters": PARAMETERS,
    "max_chars": 4000,
}


def test_the_same_question_has_the_same_key_whatever_the_order_of_its_parameters() -> None:
    backwards = dict(reversed(PARAMETERS.items()))
    assert rating_key(**BASE) == rating_key(**{**BASE, "parameters": backwards})
    assert len(rating_key(**BASE)) == 32


def test_zero_written_as_a_float_is_the_same_parameter() -> None:
    whole = {**PARAMETERS, "temperature": 0}
    assert rating_key(**BASE) == rating_key(**{**BASE, "parameters": whole})


@pytest.mark.parametrize(
    "change",
    [
        {"model": "m2"},
        {"max_chars": 3999},
        {"parameters": {**PARAMETERS, "temperature": 0.1}},
        {"parameters": {**PARAMETERS, "seed": 0}},
        {"question": UserQuestion(user="likes tea", item="a Pot")},
        {"question": UserQuestion(user="likes tea ", item="a pot")},
        {"question": UserQuestion(user="likes", item="tea a pot")},
        {"template": replace(RATE_USER_VIEW, version=2)},
        {"template": replace(RATE_USER_VIEW, system="other words")},
    ],
)
def test_whatever_can_change_the_answer_changes_the_key(change: dict[str, object]) -> None:
    assert rating_key(**BASE) != rating_key(**{**BASE, **change})


def test_the_two_views_never_share_a_key() -> None:
    item_view = {**BASE, "template": RATE_ITEM_VIEW}
    one = ItemQuestion(liked=("likes tea",), item="a pot")
    assert rating_key(**{**item_view, "question": one}) != rating_key(**BASE)


def test_the_borders_and_the_order_of_liked_items_count() -> None:
    keys = {
        rating_key(**{**BASE, "template": RATE_ITEM_VIEW, "question": question})
        for question in (
            ItemQuestion(liked=("a", "b"), item="x"),
            ItemQuestion(liked=("b", "a"), item="x"),
            ItemQuestion(liked=("ab",), item="x"),
            ItemQuestion(liked=("a", "b", ""), item="x"),
        )
    }
    assert len(keys) == 4


def test_a_requests_parameters_name_all_that_shapes_its_answer() -> None:
    messages = render(RATE_USER_VIEW, QUESTION, max_chars=4000)
    request = ChatRequest(messages=messages, model="m", response_format={"type": "json_schema"})
    assert request.parameters() == PARAMETERS


def test_canonical_json_is_one_spelling() -> None:
    assert (
        canonical_json({"b": 1.0, "a": [True, None, "é"]}) == '{"a":[true,null,"é"],"b":1}'.encode()
    )
    # FIPS 180-2 has no JSON: the digest is of the two bytes {}
    assert content_hash({}) == hashlib.sha256(b"{}").hexdigest()
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"a": float("nan")})


def test_a_texts_key_is_the_sha256_of_its_bytes() -> None:
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, B.1
    assert text_key("abc").hex() == known
    assert text_key("é") != text_key("e\u0301")


def test_messages_are_traced_by_role_and_content() -> None:
    messages = render(RATE_USER_VIEW, QUESTION, max_chars=4000)
    assert messages_key(messages) == messages_key(list(messages))
    assert messages_key(messages) != messages_key(list(reversed(messages)))
