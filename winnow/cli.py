"""The `winnow` command: every failure ends as one sentence and an exit code of its own."""

import errno
import sys

import click

from winnow.errors import DiskFullError, HomeUnusableError, StackError
from winnow.host import check_platform

INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """Run the command line and return its exit code; failures are told on stderr."""
    try:
        check_platform()
        from winnow.commands import winnow  # noqa: PLC0415 - needs fcntl, which Windows lacks

        return int(winnow.main(arguments, prog_name="winnow", standalone_mode=False) or 0)
    except StackError as error:
        return _fail(str(error), error.exit_code)
    except click.Abort:
        return _fail("Interrupted; what this command had started was ended again.", INTERRUPTED)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except OSError as error:
        if error.errno == errno.ENOSPC:
            return _fail(f"The disk is full: {error}.", DiskFullError.exit_code)
        if not isinstance(error, PermissionError) or error.filename is None:
            raise
        return _fail(f"{error.filename}: {error.strerror}.", HomeUnusableError.exit_code)


def _fail(sentence: str, code: int) -> int:
    click.echo(f"winnow: {sentence}", err=True)
    return code
