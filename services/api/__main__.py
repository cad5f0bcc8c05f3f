"""`python -m services.api`: serve HTTP until told to stop."""

import sys
from contextlib import suppress
from types import FrameType
from typing import cast

import uvicorn

from services.api.event_stream import STOPPING
from services.api.main import create_app
from services.shared import log
from services.shared.log import Format
from services.shared.settings import settings

NEEDED = ("database_url", "redis_url", "artifacts_url", "operator_key")


class Server(uvicorn.Server):
    """A server that tells the streams when it is to stop: it would wait for them."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take the signal."""
        STOPPING.set()
        super().handle_exit(sig, frame)


def main() -> None:
    """Check that everything is configured, then serve."""
    own = settings()
    log.configure("api", level=own.log_level, style=cast("Format", own.log_format))
    for name in NEEDED:
        own.require(name)
    config = uvicorn.Config(
        create_app(),
        host=own.api_host,
        port=own.api_port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )
    server = Server(config)
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(1)


if __name__ == "__main__":
    main()
