"""A child process that does not outlive its parent, however that one ends."""

import ctypes
import os
import signal

PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> bool:
    """Let the kernel kill this process when its parent ends; False if that has happened already.

    It is the parent's thread that counts: the one which started us must wait for us.
    """
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    return os.getppid() == parent
