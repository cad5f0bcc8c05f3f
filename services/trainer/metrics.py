"""What the trainer counts of its stages; see services/shared/metrics.py."""

from prometheus_client import Counter, Gauge, Histogram

from services.shared.metrics import LONG

STAGES = Counter("winnow_stages_ended", "Stages that a child process ended.", ["stage", "ending"])
SECONDS = Histogram("winnow_stage_seconds", "What a stage's process took.", ["stage"], buckets=LONG)
PEAK_MEMORY = Gauge(
    "winnow_stage_peak_memory_bytes", "Most memory of the last process of a stage.", ["stage"]
)
