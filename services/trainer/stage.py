"""`python -m services.trainer.stage RUN NAME TOKEN`: one stage, in a process of its own."""

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from typing import cast
from uuid import UUID

from sqlalchemy.exc import OperationalError

from services.shared import disk, orphans
from services.shared.db.repos.stages import StageLease
from services.shared.errors import DiskFullError, LeaseLostError, WinnowError
from services.shared.log import Format, bound, configure, get_logger
from services.shared.settings import settings
from services.shared.stages import StageName
from services.trainer.child import LOST, RETRY

log = get_logger(__name__)


def main(arguments: Sequence[str]) -> int:
    """Do the stage and return the exit code that `child` documents."""
    options = _parse(arguments)
    if not orphans.die_with(options.parent):
        return RETRY
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the group: the parent decides
    said = _outcome_channel()
    configure("trainer", level=settings().log_level, style=cast("Format", settings().log_format))
    lease = StageLease(options.run, options.name, options.project, options.token, attempt=0)
    asked_by = {} if options.request is None else {"request_id": options.request}
    with bound(run_id=lease.run_id, stage=lease.name.value, **asked_by):
        return _guarded(lease, said)


def _guarded(lease: StageLease, said: int) -> int:
    try:
        from services.trainer.perform import perform  # noqa: PLC0415 - torch: after PDEATHSIG

        with disk.named():
            perform(lease)
    except DiskFullError as error:
        log.warning("disk_full", detail=error.detail)
        os.write(said, json.dumps({"detail": error.detail, "needs": error.needs}).encode())
        return disk.EXIT_CODE
    except LeaseLostError:
        return LOST
    except OperationalError:
        log.exception("database_away")
        return RETRY
    except WinnowError as error:
        log.warning("stage_failed", code=error.code, detail=error.detail)
        return _fail(said, code=error.code, detail=error.detail)
    except Exception:
        log.exception("stage_broke")
        return _fail(said, code="INTERNAL", detail="An internal error; the trainer's log tells it.")
    return 0


def _fail(said: int, *, code: str, detail: str) -> int:
    os.write(said, json.dumps({"code": code, "detail": detail[:2000]}).encode())
    return 1


def _outcome_channel() -> int:
    """Return a copy of standard output that no stray print can reach."""
    channel = os.dup(1)
    os.dup2(2, 1)
    return channel


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="services.trainer.stage")
    parser.add_argument("run", type=UUID)
    parser.add_argument("name", type=StageName)
    parser.add_argument("token", type=int)
    parser.add_argument("--project", type=UUID, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--request")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    ended = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(ended)  # taking torch down costs a second, and nothing is left that it would save
