"""What the demo itself may find wrong: one sentence, printed without a traceback."""

from __future__ import annotations


class DemoError(Exception):
    """A failure that its message explains to the person at the terminal."""
