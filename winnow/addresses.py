"""The WINNOW_* variables of one stack: where everything is, and what opens it."""

from collections.abc import Mapping

from winnow.embedded.ports import LOOPBACK
from winnow.embedded.postgres import Postgres
from winnow.embedded.valkey import Valkey
from winnow.errors import StackError
from winnow.home import Home

DATABASE = "winnow"
MODEL, ENCODER = "winnow-local-rater", "winnow-local-encoder"
ROLES = {
    "WINNOW_OWNER_DATABASE_URL": ("winnow_owner", "owner"),
    "WINNOW_DATABASE_URL": ("winnow_app", "app"),
    "WINNOW_INGEST_DATABASE_URL": ("winnow_ingest", "ingest"),
}


def environment(
    home: Home,
    given: Mapping[str, str],
    *,
    ports: Mapping[str, int],
    postgres: Postgres | None,
    valkey: Valkey | None,
) -> dict[str, str]:
    """Return the whole environment of the stack's processes.

    Args:
        home: the stack's folder, which has the secrets.
        given: what the caller has set; it wins over everything that we would choose.
        ports: by process name: `api`, `local_llm`, `scorer`.
        postgres: the embedded server; None where `given` names one of the caller's own.
        valkey: the embedded server; None where `given` names one of the caller's own.
    """
    chosen = {
        "WINNOW_API_HOST": LOOPBACK,
        "WINNOW_ARTIFACTS_URL": (home.folder / "artifacts").as_uri(),
        "WINNOW_SPOOL_DIR": str(home.folder / "spool"),
        "WINNOW_OPERATOR_KEY": home.secret("operator"),
        "WINNOW_SCORER_HOST": LOOPBACK,
        "WINNOW_SCORER_URL": f"http://{LOOPBACK}:{ports['scorer']}",
        **({"WINNOW_SCORER_KEY": home.secret("scorer")} if is_scoring(given) else {}),
        **_local_endpoint(home, given, ports["local_llm"]),
        **({} if postgres is None else _database_urls(home, postgres)),
        **({} if valkey is None else {"WINNOW_REDIS_URL": valkey.url}),
    }
    # A process that runs keeps its port, whatever was set since.
    kept = {
        "WINNOW_API_PORT": str(ports["api"]),
        "WINNOW_SCORER_PORT": str(ports["scorer"]),
        **_allowed(given, ports["local_llm"]),
    }
    return {**chosen, **given, **kept}


def require_complete(given: Mapping[str, str]) -> None:
    """Raise StackError if a database of the caller's own is named for one role only."""
    missing = sorted(name for name in ROLES if name not in given)
    if "WINNOW_DATABASE_URL" in given and missing:
        raise StackError(f"WINNOW_DATABASE_URL is set, so set {' and '.join(missing)} as well.")


def is_scoring(given: Mapping[str, str]) -> bool:
    """Tell whether the stack scores for itself: the caller names no scorer of their own."""
    return "WINNOW_SCORER_URL" not in given


def is_local(given: Mapping[str, str]) -> bool:
    """Tell whether the local endpoint is needed: for ratings, for embeddings or for both."""
    return not {"WINNOW_LLM__BASE_URL", "WINNOW_EMBEDDER__BASE_URL"} <= given.keys()


def _database_urls(home: Home, postgres: Postgres) -> dict[str, str]:
    urls = {
        variable: postgres.url(database=DATABASE, user=user, password=home.secret(secret))
        for variable, (user, secret) in ROLES.items()
    }
    return {**urls, "WINNOW_ADMIN_DATABASE_URL": postgres.url(database="postgres")}


def _local_endpoint(home: Home, given: Mapping[str, str], port: int) -> dict[str, str]:
    if not is_local(given):
        return {}
    key = home.secret("local_llm")
    chosen = {
        "WINNOW_LOCAL_LLM__HOST": LOOPBACK,
        "WINNOW_LOCAL_LLM__PORT": str(port),
        "WINNOW_LOCAL_LLM__API_KEY": key,
    }
    for prefix, model in (("WINNOW_LLM__", MODEL), ("WINNOW_EMBEDDER__", ENCODER)):
        if f"{prefix}BASE_URL" not in given:
            chosen[f"{prefix}BASE_URL"] = f"http://{LOOPBACK}:{port}/v1"
            chosen[f"{prefix}API_KEY"] = key
            chosen[f"{prefix}MODEL"] = model
    return chosen


def _allowed(given: Mapping[str, str], port: int) -> dict[str, str]:
    """Outgoing calls to private addresses are refused, our own endpoint's excepted."""
    name = "WINNOW_OUTGOING_ALLOW"
    ours = f"{LOOPBACK}:{port}" if is_local(given) else ""
    return {name: ",".join(filter(None, (given.get(name), ours)))}
