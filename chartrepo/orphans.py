"""Processes that do not outlive the one that started them."""

import ctypes
import os
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def die_with(parent: int) -> None:
    """Let this process be ended by SIGTERM when its parent dies, even by SIGKILL.

    Linux does that; elsewhere a child that outlives its parent has to be stopped by hand.

    Args:
        parent: process id of the parent, taken before the fork: it may have died since.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(0)
