"""What can go wrong while the stack starts or stops: one sentence and one exit code each."""

from typing import ClassVar


class StackError(Exception):
    """A failure that the command line prints as one sentence, without a traceback."""

    exit_code: ClassVar[int] = 1


class UnsupportedPlatformError(StackError):
    """The embedded servers have no binaries for this system."""

    exit_code: ClassVar[int] = 3


class PortTakenError(StackError):
    """Another program listens where one of ours was told to."""

    exit_code: ClassVar[int] = 4


class DiskFullError(StackError):
    """Too little space is left under the stack's folder."""

    exit_code: ClassVar[int] = 5


class RootRefusedError(StackError):
    """We are root, Postgres refuses to be, and no plain user can be had here."""

    exit_code: ClassVar[int] = 6


class ProcessFailedError(StackError):
    """A process of the stack ended, or did not answer in time."""

    exit_code: ClassVar[int] = 7


class NotRunningError(StackError):
    """The command needs a stack that is up."""

    exit_code: ClassVar[int] = 8


class HomeBusyError(StackError):
    """Another `winnow up` or `winnow down` is at work on the same folder."""

    exit_code: ClassVar[int] = 9


class ApiRefusedError(StackError):
    """The api answered with an error."""

    exit_code: ClassVar[int] = 10


class SettingError(StackError):
    """A WINNOW_* variable has a value that nothing can be started with."""

    exit_code: ClassVar[int] = 11


class HomeUnusableError(StackError):
    """The stack's folder can not be made, read or written."""

    exit_code: ClassVar[int] = 12


class UnknownNameError(StackError):
    """The command names a process that there is not."""

    exit_code: ClassVar[int] = 2
