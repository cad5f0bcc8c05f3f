"""python -m services.local_llm: one process, one thread for the encoder, loopback by default."""

import torch
import uvicorn

from services.local_llm.app import create_app
from services.local_llm.encoder import load_encoder
from services.local_llm.faults import Faults, parse_plan
from services.shared.log import Format, configure
from services.shared.settings import settings


def main() -> None:
    """Serve until SIGTERM or SIGINT; ValueError names a missing key, before any weight is read."""
    own = settings().local_llm
    style: Format = "console" if settings().log_format == "console" else "json"
    configure("local_llm", level=settings().log_level, style=style)
    if own.api_key is None or not own.api_key.get_secret_value():
        raise ValueError("WINNOW_LOCAL_LLM__API_KEY is not set")
    torch.set_num_threads(1)  # training stands beside it on the same cores
    faults = Faults(parse_plan(own.faults))
    app = create_app(own.api_key.get_secret_value(), load_encoder(own.encoder_path), faults)
    uvicorn.run(
        app,
        host=own.host,
        port=own.port,
        log_config=None,  # configured above
        access_log=False,
        server_header=False,
    )


if __name__ == "__main__":
    main()
