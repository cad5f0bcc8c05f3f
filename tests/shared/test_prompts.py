"""Prompts render purely, hold their texts shut, and a reply is an answer or an error."""

import json
from dataclasses import replace

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.shared.errors import InvalidError, UnparsableReplyError
from services.shared.llm.delimiters import Block
from services.shared.llm.delimiters import parse as parse_blocks
from services.shared.llm.prompts import (
    DEFAULT_TEMPLATES,
    PROMPT_NAMES,
    RATE_ITEM_VIEW,
    RATE_USER_VIEW,
    REFERENCED_ITEM_VIEW,
    REFERENCED_REPLY_SCHEMA,
    REFERENCED_USER_VIEW,
    REPLY_SCHEMA,
    Answer,
    ItemQuestion,
    Label,
    Message,
    PromptTemplate,
    UserQuestion,
    cut,
    parse,
    reference,
    render,
    response_format,
    template_from_row,
)
from services.shared.llm.reference import read_reference

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


def flat(messages: list[Message]) -> str:
    return "\n".join(message["content"] for message in messages)


@given(TEXTS, TEXTS)
def test_the_user_view_holds_one_user_and_one_item(user: str, item: str) -> None:
    messages = render(RATE_USER_VIEW, UserQuestion(user=user, item=item), max_chars=400)
    assert [message["role"] for message in messages] == ["system", "user"]
    assert [block.role for block in parse_blocks(flat(messages))] == ["user", "item"]


@given(st.lists(TEXTS, max_size=6), TEXTS)
def test_the_item_view_holds_every_liked_item_and_then_the_item(
    liked: list[str], item: str
) -> None:
    question = ItemQuestion(liked=tuple(liked), item=item)
    blocks = parse_blocks(flat(render(RATE_ITEM_VIEW, question, max_chars=400)))
    assert [block.role for block in blocks] == ["liked"] * max(1, len(liked)) + ["item"]


def test_texts_arrive_as_they_are_even_if_they_look_like_placeholders() -> None:
    question = UserQuestion(user="likes {item} and {user}", item=r"a \1 {liked} {0} book")
    blocks = parse_blocks(flat(render(RATE_USER_VIEW, question, max_chars=400)))
    assert blocks == [Block("user", question.user), Block("item", question.item)]


def test_two_items_of_one_user_share_everything_up_to_the_item() -> None:
    one, two = (
        flat(render(RATE_USER_VIEW, UserQuestion(user="u" * 300, item=item), max_chars=400))
        for item in ("first", "second")
    )
    split = next(at for at, (a, b) in enumerate(zip(one, two, strict=False)) if a != b)
    shared = one[:split]
    assert shared.endswith(":item>>>\n")
    assert "u" * 300 in shared


def test_a_missing_profile_is_said_to_be_missing() -> None:
    messages = render(RATE_USER_VIEW, UserQuestion(user=" \n", item="x"), max_chars=400)
    assert parse_blocks(flat(messages))[0] == Block("user", "(no text)")
    assert '"(no text)" means that nothing is known' in messages[0]["content"]


def test_a_long_text_is_cut_to_the_limit_with_a_mark() -> None:
    assert cut("a" * 20, max_chars=20) == "a" * 20
    assert cut("a" * 21, max_chars=20) == "a" * 16 + " […]"  # 16 + 4 characters of mark
    assert cut("é" * 15 + "   tail tail", max_chars=20) == "é" * 15 + " […]"
    with pytest.raises(ValueError, match="16"):
        cut("a", max_chars=15)


@given(TEXTS, st.integers(16, 40))
def test_a_cut_text_is_never_longer_than_the_limit(text: str, limit: int) -> None:
    assert 1 <= len(cut(text, max_chars=limit)) <= limit


def test_a_question_of_the_other_view_is_refused() -> None:
    with pytest.raises(InvalidError, match="user view"):
        render(RATE_USER_VIEW, ItemQuestion(liked=("a",), item="b"), max_chars=400)


@pytest.mark.parametrize(
    ("view", "user"),
    [
        ("user", "{user}"),
        ("user", "{item} then {user}"),
        ("user", "{user} {item} {item}"),
        ("user", "{liked} {item}"),
        ("item", "{user} {item}"),
        ("item", "{liked} {item} {secret}"),
    ],
)
def test_a_template_with_other_placeholders_is_refused(view: str, user: str) -> None:
    with pytest.raises(InvalidError) as caught:
        PromptTemplate(name="x", version=1, view=view, system="s", user=user)
    assert caught.value.pointer == "/user"


def test_a_template_of_another_schema_is_refused() -> None:
    with pytest.raises(InvalidError, match="schema 3; this code reads 1 and 2"):
        replace(RATE_USER_VIEW, schema_version=3)


def test_the_shipped_words_change_only_with_their_version() -> None:
    # the hashes of each version; a changed word is a new version, so that stored ratings stay true
    shipped = {
        (template.name, template.version): template.sha256[:16] for template in DEFAULT_TEMPLATES
    }
    assert shipped == {
        ("rate-user-view", 1): "174c7a703b209c90",
        ("rate-item-view", 1): "a0ed949f65704c43",
        ("rate-user-view", 2): "c3bcfbcfd5857dbd",
        ("rate-item-view", 2): "5f1587be72addd30",
    }
    assert PROMPT_NAMES == {"user": "rate-user-view", "item": "rate-item-view"}


def test_a_template_survives_its_row() -> None:
    for template in DEFAULT_TEMPLATES:
        row = {
            "version": template.version,
            "schema_version": template.schema_version,
            "system": template.system,
            "template": template.user,
        }
        assert template_from_row(name=template.name, **row) == template
    with pytest.raises(InvalidError, match="none of the rating prompts"):
        template_from_row(name="describe", **row)


def test_a_templates_hash_covers_its_words_and_not_its_name() -> None:
    assert replace(RATE_USER_VIEW, name="other", version=9).sha256 == RATE_USER_VIEW.sha256
    assert replace(RATE_USER_VIEW, system="x").sha256 != RATE_USER_VIEW.sha256
    assert replace(RATE_USER_VIEW, user="a {user} {item}").sha256 != RATE_USER_VIEW.sha256


def test_a_question_of_the_second_version_ends_with_its_reference() -> None:
    question = UserQuestion(user="Likes tea. <<<ref:00000000>>>", item="A teapot.")
    (prompt,) = [m["content"] for m in render(REFERENCED_USER_VIEW, question, max_chars=400)][1:]
    wanted = reference(REFERENCED_USER_VIEW, question, max_chars=400)
    assert prompt.endswith(f"<<<ref:{wanted}>>>\n")
    assert read_reference(prompt) == wanted  # what a text says of itself is no mark
    assert prompt.count("<<<ref:") == 1
    assert reference(RATE_USER_VIEW, question, max_chars=400) is None
    assert "ref:" not in RATE_USER_VIEW.system


def test_what_the_items_of_a_user_share_stays_equal_up_to_the_item() -> None:
    first, second = (
        render(REFERENCED_USER_VIEW, UserQuestion(user="Likes tea.", item=item), max_chars=400)
        for item in ("A teapot.", "A kettle.")
    )
    assert first[0] == second[0]
    one, other = first[1]["content"], second[1]["content"]
    assert one.partition("A teapot.")[0] == other.partition("A kettle.")[0]


def test_references_differ_with_any_text_of_the_question_and_the_view() -> None:
    questions = [
        (REFERENCED_USER_VIEW, UserQuestion(user="a", item="b")),
        (REFERENCED_USER_VIEW, UserQuestion(user="a", item="c")),
        (REFERENCED_USER_VIEW, UserQuestion(user="d", item="b")),
        (REFERENCED_ITEM_VIEW, ItemQuestion(liked=("a",), item="b")),
        (REFERENCED_ITEM_VIEW, ItemQuestion(liked=("a", "e"), item="b")),
    ]
    found = [reference(template, asked, max_chars=400) for template, asked in questions]
    assert len(set(found)) == len(questions)


def test_a_reply_counts_only_for_the_question_whose_reference_it_carries() -> None:
    reply = {"label": "High", "reason": "Both name tea.", "ref": "0a1b2c3d"}
    told = json.dumps(reply)
    assert parse(told, reference="0a1b2c3d") == Answer(Label.HIGH, "Both name tea.")
    jsonschema.validate(reply, REFERENCED_REPLY_SCHEMA)
    for other in ("0a1b2c3e", "0A1B2C3D", ""):
        with pytest.raises(UnparsableReplyError, match="another question"):
            parse(told, reference=other)
    with pytest.raises(UnparsableReplyError):
        parse(json.dumps({**reply, "ref": 7}), reference="0a1b2c3d")
    with pytest.raises(UnparsableReplyError):
        parse('{"label": "High", "reason": "r"}', reference="0a1b2c3d")
    with pytest.raises(UnparsableReplyError):
        parse(told)  # a prompt without a reference gets none


@pytest.mark.parametrize("label", ["High", "Mid", "Low"])
def test_each_label_is_read(label: str) -> None:
    reply = json.dumps({"label": label, "reason": " Both name tea. "})
    assert parse(reply) == Answer(Label(label), "Both name tea.")
    assert parse(f"```json\n{reply}\n```") == parse(reply)
    jsonschema.validate(json.loads(reply), REPLY_SCHEMA)


GOOD = '{"label": "High", "reason": "r"}'


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "High",
        '"High"',
        "null",
        "[]",
        f"[{GOOD}]",
        f"{GOOD} {GOOD}",
        f"Here you are: {GOOD}",
        f"{GOOD} I hope it helps.",
        '{"label": "high", "reason": "r"}',
        '{"label": "HIGH", "reason": "r"}',
        '{"label": " High", "reason": "r"}',
        '{"label": "High|Mid", "reason": "r"}',
        '{"label": "Medium", "reason": "r"}',
        '{"label": ["High"], "reason": "r"}',
        '{"label": null, "reason": "r"}',
        '{"label": 1, "reason": "r"}',
        '{"label": "High"}',
        '{"reason": "it is High"}',
        '{"label": "High", "reason": ""}',
        '{"label": "High", "reason": " \\n"}',
        '{"label": "High", "reason": 3}',
        '{"label": "High", "reason": "r", "confidence": 0.9}',
        '{"label": "High", "label": "Low", "reason": "r"}',
        '{"label": "High", "reason": "r"',
        "{'label': 'High', 'reason': 'r'}",
        '{"label": "High", "reason": "r",}',
        "[" * 19_000,
        '{"label": "High", "reason": "' + "r" * 20_000 + '"}',
    ],
)
def test_anything_else_is_an_error_and_never_a_guess(reply: str) -> None:
    with pytest.raises(UnparsableReplyError):
        parse(reply)


@given(st.text(max_size=200))
def test_no_text_makes_the_parser_fail_otherwise(reply: str) -> None:
    with pytest.raises(UnparsableReplyError):
        parse(reply)


def test_the_error_does_not_quote_the_reply() -> None:
    with pytest.raises(UnparsableReplyError) as caught:
        parse('{"label": "my diary", "reason": "r"}')
    assert "diary" not in str(caught.value)


def test_a_reason_can_always_be_stored() -> None:
    answer = parse(r'{"label": "Low", "reason": "a\u0000b\ud800c\nd' + "e" * 600 + '"}')
    assert answer.reason.startswith("a b c de")
    assert len(answer.reason) == 500
    answer.reason.encode()


def test_the_response_format_is_strict_and_asks_for_the_reason_first() -> None:
    wanted = response_format()
    assert wanted["type"] == "json_schema"
    assert wanted["json_schema"]["strict"] is True
    assert list(wanted["json_schema"]["schema"]["properties"]) == ["reason", "label"]
    for bad in ('{"label": "high", "reason": "r"}', '{"label": "High"}'):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(json.loads(bad), REPLY_SCHEMA)
