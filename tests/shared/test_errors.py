"""Every error has a code for programs and a sentence for people, and no status code."""

import inspect

import pytest

from services.shared import errors
from services.shared.errors import (
    Fault,
    InvalidError,
    LimitedError,
    NotFoundError,
    UnavailableError,
    WinnowError,
)

CLASSES = [
    member
    for _, member in inspect.getmembers(errors, inspect.isclass)
    if issubclass(member, WinnowError)
]


def test_no_two_errors_share_a_code() -> None:
    codes = [member.code for member in CLASSES]
    assert len(codes) > 1
    assert len(set(codes)) == len(codes)
    assert all(code == code.upper() and code.replace("_", "").isalpha() for code in codes)


def test_what_is_not_found_is_named() -> None:
    error = NotFoundError("run", "7")
    assert (error.code, error.detail) == ("NOT_FOUND", "There is no run '7'.")


def test_an_invalid_value_is_one_fault_with_its_place() -> None:
    error = InvalidError("k must be between 1 and 100.", pointer="/k", code="OUT_OF_RANGE")
    assert [fault.to_dict() for fault in error.errors] == [
        {"code": "OUT_OF_RANGE", "detail": "k must be between 1 and 100.", "pointer": "/k"}
    ]


def test_a_fault_of_a_bulk_body_keeps_its_row_also_row_zero() -> None:
    assert Fault(code="INVALID", detail="d", index=0).to_dict()["index"] == 0


@pytest.mark.parametrize(
    "error", [LimitedError("slow down", retry_after=2.5), UnavailableError("x", retry_after=2.5)]
)
def test_what_passes_says_when_to_come_back(error: LimitedError | UnavailableError) -> None:
    assert error.retry_after == 2.5
