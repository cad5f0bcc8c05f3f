"""`python -m services.trainer.scorer`: serve top-K on demand until told to stop."""

from typing import cast

import uvicorn

from services.shared import log
from services.shared.artifacts import ArtifactStore
from services.shared.log import Format
from services.shared.settings import settings
from services.trainer.scorer.app import create_app
from services.trainer.scorer.embedder import Embedder
from services.trainer.scorer.models import Models

NEEDED = ("database_url", "artifacts_url", "scorer_key")


def main() -> None:
    """Check that everything is configured, then serve."""
    own = settings()
    log.configure("scorer", level=own.log_level, style=cast("Format", own.log_format))
    for name in NEEDED:
        own.require(name)
    spool = own.spool_dir
    store = ArtifactStore(
        own.require("artifacts_url"), cache=spool / "scorer-artifacts" if spool else None
    )
    models = Models(store, most_bytes=own.scorer_memory_bytes)
    uvicorn.run(
        create_app(own.require("scorer_key"), models, Embedder(own.embedder)),
        host=own.scorer_host,
        port=own.scorer_port,
        log_config=None,  # configured above
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )


if __name__ == "__main__":
    main()
