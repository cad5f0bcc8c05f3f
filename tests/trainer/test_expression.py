"""What `positive` may say, and how it is told when it says something else."""

import pytest

from services.shared.errors import InvalidError
from services.shared.expression import Comparison, parse


@pytest.mark.parametrize(
    ("expression", "meaning"),
    [
        ("value>=4", [Comparison("value", ">=", 4.0)]),
        (" value != -0.5 ", [Comparison("value", "!=", -0.5)]),
        ('type="purchase"', [Comparison("type", "=", "purchase")]),
        (
            'type != "say \\"no\\"" AND value<3',
            [Comparison("type", "!=", 'say "no"'), Comparison("value", "<", 3.0)],
        ),
    ],
)
def test_comparisons_are_read(expression: str, meaning: list[Comparison]) -> None:
    assert list(parse(expression)) == meaning


@pytest.mark.parametrize(
    ("expression", "meaning"),
    [
        ("price<20", [Comparison("price", "<", 20.0)]),
        ('Größe_2 = "XL"', [Comparison("Größe_2", "=", "XL")]),
        ('"shelf mark" != "B 12"', [Comparison("shelf mark", "!=", "B 12")]),
        (
            '"say \\"AND\\"" = "a AND b" AND x>=-1.5',
            [Comparison('say "AND"', "=", "a AND b"), Comparison("x", ">=", -1.5)],
        ),
    ],
)
def test_without_fields_any_name_is_one(expression: str, meaning: list[Comparison]) -> None:
    assert list(parse(expression, None)) == meaning


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("", "expected a comparison at its end"),
        ("price<20 AND ", "expected a comparison at its end"),
        ("2price<3", "expected a comparison at '2price<3'"),
        ('name>"a"', "a text, as name is compared with, knows = and != only"),
        ('"" = 3', "expected a comparison"),
        ("a=1 or b=2", "expected AND at 'or b=2'"),
    ],
)
def test_what_a_filter_cannot_say_is_shown_where_it_stands(expression: str, fault: str) -> None:
    with pytest.raises(InvalidError, match=fault) as raised:
        parse(expression, None, pointer="/query/filter")
    assert raised.value.pointer == "/query/filter"


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("", "expected a comparison"),
        ("value>=4 OR value<2", "expected AND at 'OR value<2', character 10"),
        ("value>=4 AND", "expected a comparison at its end"),
        ("value=four", "expected a number or a text in double quotes at 'four', character 7"),
        ("value >> 4", "expected a number or a text in double quotes at '> 4', character 8"),
        ("value 4", "expected one of >=, <=, !=, =, >, < at '4', character 7"),
        ("4<value", "expected a comparison at '4<value', character 1"),
        ('value="4"', "value is compared with a number"),
        ("type=4", "type is compared with a text in double quotes"),
        ('type>"a"', "type knows = and != only"),
        ("price>4", "there is no field 'price', only value, type"),
        ("value>=4; DROP TABLE users", "expected AND"),
    ],
)
def test_anything_else_is_refused_with_a_reason(expression: str, fault: str) -> None:
    with pytest.raises(InvalidError, match=fault) as raised:
        parse(expression)
    assert raised.value.pointer == "/settings/positive"
