"""Every table, so that one import knows the whole schema."""

from services.shared.db.tables.datasets import Dataset, Import, Interaction, Item, User
from services.shared.db.tables.people import AuditEntry, Override, OverrideChange, Serving
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
    "AuditEntry",
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
    "Override",
    "OverrideChange",
    "Project",
    "Prompt",
    "Rating",
    "RatingBatch",
    "Run",
    "RunRating",
    "Serving",
    "Stage",
    "Usage",
    "User",
    "Verdict",
]
