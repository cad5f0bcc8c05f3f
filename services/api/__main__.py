"""`python -m services.api`: serve HTTP until told to stop."""

from typing import cast

import uvicorn

from services.api.main import create_app
from services.shared import log
from services.shared.log import Format
from services.shared.settings import settings

NEEDED = ("database_url", "redis_url", "artifacts_url", "operator_key")


def main() -> None:
    """Check that everything is configured, then serve."""
    own = settings()
    log.configure("api", level=own.log_level, style=cast("Format", own.log_format))
    for name in NEEDED:
        own.require(name)
    uvicorn.run(
        create_app(),
        host=own.api_host,
        port=own.api_port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )


if __name__ == "__main__":
    main()
