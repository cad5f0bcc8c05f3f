"""`python -m services.trainer`: the worker of the queues train and light."""

from typing import cast

from services.shared.log import Format, configure
from services.shared.settings import settings
from services.trainer.app import main

configure("trainer", level=settings().log_level, style=cast("Format", settings().log_format))
main()
