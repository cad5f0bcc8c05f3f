"""Where on a customer's way a fault strikes."""

UPLOADING, ACCEPTED, PARSING, PUBLISHING = "uploading", "accepted", "parsing", "publishing"
POSTING, QUEUED, EMBED, RATE = "posting", "queued", "embed", "rate"
RUNNING = (
    QUEUED,
    "snapshot",
    EMBED,
    "pretrain",
    "align",
    "candidates",
    RATE,
    "train_raw",
    "refine",
    "train",
    "evaluate",
    "publish",
)
"""In the order in which a run comes to them, those that go on side by side in either."""

TRAINED = tuple(moment for moment in RUNNING if moment not in {QUEUED, EMBED, RATE})
"""Stages that the trainer runs, each in a process of its own."""

ALL = (UPLOADING, ACCEPTED, PARSING, PUBLISHING, *RUNNING, POSTING)
"""In the order of the way."""
