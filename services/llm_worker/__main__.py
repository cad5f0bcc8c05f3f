"""`python -m services.llm_worker`: the worker of the queue rate."""

from typing import cast

from services.llm_worker.app import main
from services.shared.log import Format, configure
from services.shared.settings import settings

configure("llm_worker", level=settings().log_level, style=cast("Format", settings().log_format))
main()
