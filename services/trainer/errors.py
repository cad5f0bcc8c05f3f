"""What can be wrong with a run's data, in words for the person who started it."""

from services.shared.errors import WinnowError


class TooSmallError(WinnowError):
    """Too little data is left to train on or to judge by; the detail gives counts and minima."""

    code = "TOO_SMALL"


class SplitError(WinnowError):
    """The interactions lack what the dataset's split reads: times, or words of a column."""

    code = "SPLIT_IMPOSSIBLE"
