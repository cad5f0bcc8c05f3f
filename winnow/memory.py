"""How much memory a process and its children really take: the proportional set size."""

import psutil

from winnow import records
from winnow.records import Record


def pss_bytes(record: Record) -> int:
    """Return the summed PSS of the process' whole family, in bytes; 0 if it is gone.

    PSS counts a page shared by n processes as 1/n in each, so that sums over processes are true.
    """
    return sum(_pss(member) for member in records.family(record))


def _pss(member: psutil.Process) -> int:
    try:
        return int(member.memory_full_info().pss)
    except psutil.AccessDenied:
        return _rss(member)  # too much rather than nothing
    except psutil.Error:
        return 0


def _rss(member: psutil.Process) -> int:
    try:
        return int(member.memory_info().rss)
    except psutil.Error:
        return 0
