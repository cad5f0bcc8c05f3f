"""Every table, so that one import knows the whole schema."""

from services.shared.db.tables.datasets import Dataset, Import, Interaction, Item, User
from services.shared.db.tables.projects import ApiKey, IdempotencyKey, Project
from services.shared.db.tables.ratings import (
    Candidate,
    Embedding,
    Prompt,
    Rating,
    RatingBatch,
    RunRating,
    Usage,
    Verdict,
)
from services.shared.db.tables.runs import Job, JobEvent, Model, Run, Stage

__all__ = [
    "ApiKey",
    "Candidate",
    "Dataset",
    "Embedding",
    "IdempotencyKey",
    "Import",
    "Interaction",
    "Item",
    "Job",
    "JobEvent",
    "Model",
    "Project",
    "Prompt",
    "Rating",
    "RatingBatch",
    "Run",
    "RunRating",
    "Stage",
    "Usage",
    "User",
    "Verdict",
]
