"""What the worker counts of its calls and its transactions; see services/shared/metrics.py."""

from prometheus_client import Counter, Gauge, Histogram

from services.shared.llm.protocol import ChatReply, EmbedReply

IN_FLIGHT = Gauge("winnow_calls_in_flight", "Calls under way at an endpoint.", ["kind"])
CALLS = Counter("winnow_calls", "Attempts at calls.", ["kind", "model", "status"])
CALL_SECONDS = Histogram(
    "winnow_call_seconds",
    "What an attempt took.",
    ["kind", "model"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
)
TOKENS = Counter(
    "winnow_call_tokens", "Tokens as the endpoint counted them.", ["kind", "model", "direction"]
)
RETRIES = Counter("winnow_call_retries", "Attempts repeated, by what the last met.", ["status"])
FLUSH_ANSWERS = Histogram(
    "winnow_flush_answers",
    "Questions committed in one transaction.",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000),
)
FLUSH_SECONDS = Histogram("winnow_flush_seconds", "What that transaction took.")


def called(kind: str, model: str, reply: ChatReply | EmbedReply) -> None:
    """Count one attempt; a reply that parses later to nothing is counted as what it came as."""
    CALLS.labels(kind, model, reply.status).inc()
    CALL_SECONDS.labels(kind, model).observe(reply.latency_ms / 1000)
    if reply.usage is not None:
        TOKENS.labels(kind, model, "prompt").inc(reply.usage.prompt)
        TOKENS.labels(kind, model, "completion").inc(reply.usage.completion)
