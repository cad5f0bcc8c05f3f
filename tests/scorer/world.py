"""The shop of two tastes, trained and served: scorer, embedder and api on real sockets."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from services.api.main import create_routes, wrap
from services.shared.artifacts import ArtifactStore
from services.shared.celery import close_sender
from services.shared.db.session import engine
from services.shared.settings import settings
from services.shared.stages import WAITS_FOR, StageName
from services.trainer.perform import perform
from services.trainer.scorer.app import create_app
from services.trainer.scorer.embedder import Embedder
from services.trainer.scorer.models import Models
from tests.api.conftest import NO_TLS, OPERATOR_KEY
from tests.databases import Database
from tests.fakes.llm import Call, FakeLlm, Wire
from tests.fakes.proxy import Proxy
from tests.trainer.shop import Shop

KEY = "scorer-key-of-a-test-0123456789"


@dataclass
class World:
    """What a test speaks to."""

    shop: Shop
    api_url: str
    scorer_url: str
    proxy: Proxy  # between api and scorer
    llm: FakeLlm
    models: Models
    routes: FastAPI
    keys: dict[str, str] = field(default_factory=dict)

    def client(self, role: str = "write") -> httpx.Client:
        """Return a client of the api with a key of the shop's project."""
        return client(self.api_url, self.keys[role])

    def scorer(self, key: str = KEY) -> httpx.Client:
        """Return a client of the scorer itself."""
        return client(self.scorer_url, key)

    def path(self, rest: str) -> str:
        """Return a path below the dataset."""
        return f"/v1/datasets/{self.shop.dataset_id}{rest}"

    def recommend(self, user: str, **query: str | int) -> httpx.Response:
        """Ask for a user's list."""
        with self.client("read") as asking:
            return asking.get(self.path(f"/recommendations/{user}"), params=query)

    def session(self, **body: object) -> httpx.Response:
        """Ask for a session's list."""
        with self.client("read") as asking:
            return asking.post(self.path("/recommendations:session"), json=body)

    def heal(self) -> None:
        """Let the api find the scorer again, at once."""
        self.proxy.heal()
        scorer = self.routes.state.scorer
        scorer._failures = 0

    def add(self, user: str, items: list[str]) -> None:
        """Append interactions to the log."""
        rows = [{"user_id": user, "item_id": item, "value": 5} for item in items]
        with self.client() as asking:
            answer = asking.post(self.path("/interactions"), json={"interactions": rows})
        assert answer.status_code == 200, answer.text


def client(url: str, key: str) -> httpx.Client:
    """Return a client with a bearer key."""
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=False, verify=NO_TLS)


def lean(text: str) -> list[float]:
    """Return a text's vector: it leans to its taste, as those of the training do."""
    noise = np.random.default_rng(len(text)).normal(size=16) * 0.1
    taste: list[float] = (np.eye(16)[0 if "even" in text else 1] + noise).tolist()
    return taste


def embedding(call: Call) -> Wire:
    """Answer as an embedder of the shop's texts."""
    rows = [{"index": at, "embedding": lean(text)} for at, text in enumerate(call.body["input"])]
    return Wire(200, json.dumps({"data": rows}).encode())


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """Serve on a free port of the loopback; the value is the URL."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, ws="none", loop="asyncio", log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 60
    while not server.started:
        assert time.monotonic() < until, "the server did not start"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)


@contextmanager
def opened(database: Database, valkey_url: str, folder: Path) -> Iterator[World]:
    """Train the shop's model and serve it until the block ends."""
    patch = pytest.MonkeyPatch()
    with ExitStack() as stack:
        stack.callback(patch.undo)
        llm = stack.enter_context(FakeLlm.serving())
        llm.script = embedding
        _configure(patch, database, valkey_url, folder, llm)
        stack.callback(_forget)
        stack.callback(lambda: engine("database_url").dispose())
        shop = Shop.open()
        _train(shop)
        models = Models(ArtifactStore(settings().artifacts_url), most_bytes=2**30)
        scoring = create_app(KEY, models, Embedder(settings().embedder))
        scorer_url = stack.enter_context(serving(scoring))
        port = int(scorer_url.rpartition(":")[2])
        proxy = stack.enter_context(Proxy.before("127.0.0.1", port))
        patch.setenv("WINNOW_SCORER_URL", f"http://127.0.0.1:{proxy.port}")
        settings.cache_clear()
        settings()  # read now: each test's end clears the environment
        routes = create_routes()
        api_url = stack.enter_context(serving(wrap(routes)))
        world = World(shop, api_url, scorer_url, proxy, llm, models, routes)
        world.keys = _keys(api_url, shop)
        _describe(world)
        yield world


def _configure(
    patch: pytest.MonkeyPatch, database: Database, valkey_url: str, folder: Path, llm: FakeLlm
) -> None:
    values = {
        "DATABASE_URL": database.app_url,
        "REDIS_URL": valkey_url,
        "ARTIFACTS_URL": (folder / "artifacts").as_uri(),
        "SPOOL_DIR": str(folder / "spool"),
        "OPERATOR_KEY": OPERATOR_KEY,
        "EMBEDDER__BASE_URL": llm.url,
        "EMBEDDER__MODEL": "encoder",  # as the shop's runs pin it
        "OUTGOING_ALLOW": llm.address,
        "SCORER_KEY": KEY,
        "SCORER_TIMEOUT_SECONDS": "20",
        "DEVICE": "cpu",
        "LIST_LENGTH": "10",
    }
    for name, value in values.items():
        patch.setenv(f"WINNOW_{name}", value)
    _forget()
    settings()


def _forget() -> None:
    settings.cache_clear()
    engine.cache_clear()
    close_sender()


def _train(shop: Shop) -> None:
    run_id = shop.start_run()
    for name in WAITS_FOR:
        if name is StageName.EMBED:
            shop.embed(run_id)
        elif name is StageName.RATE:
            shop.rate(run_id)
        else:
            perform(shop.claim(run_id, name))


def _keys(api_url: str, shop: Shop) -> dict[str, str]:
    made = {}
    with client(api_url, OPERATOR_KEY) as operator:
        for role in ("read", "write"):
            body = {"project_id": str(shop.project_id), "name": role, "role": role}
            made[role] = str(operator.post("/v1/keys", json=body).json()["key"])
    return made


def _describe(world: World) -> None:
    """Give the items attributes: a shelf, a price as number or text, and tags."""
    with world.client() as asking:
        known = asking.get(world.path("/items"), params={"page_size": 100}).json()["items"]
        rows = [
            {
                "id": row["id"],
                "text": row["text"],
                "shelf": "left" if n < 20 else "right",
                "price": n if n % 3 else str(n),
                "tags": ["new", "cheap"] if n < 10 else ["old"],
            }
            for n, row in enumerate(known)
        ]
        answer = asking.put(world.path("/items"), json={"items": rows})
        assert answer.status_code == 200, answer.text
