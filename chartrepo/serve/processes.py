"""Child processes that end when they should: asked by their parent, or left behind by it."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Final, NoReturn

from chartrepo.orphans import die_with

log = logging.getLogger(__name__)

HANDLED: Final = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD})
"""Signals that the parent waits for; they are blocked in it, and let through in its children."""


def deafen_while_booting() -> None:
    """Let processes that are forked from here on be deaf to SIGTERM, until they call `listen_to_sigterm`.

    A web server's worker is born with its parent's handlers, and a SIGTERM that meets those is lost: the server would
    wait for that worker until it is killed.
    """
    mask = threading.local()  # of whichever thread forks

    def block() -> None:
        mask.before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    os.register_at_fork(before=block, after_in_parent=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, mask.before))


def listen_to_sigterm() -> None:
    """Let through a SIGTERM that has come by now; the process has handlers of its own."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def spawn(name: str, work: Callable[[], None]) -> int:
    """Run `work` in a forked process; return its id.

    The process ends with status 0 when `work` returns, with its own status when it calls `sys.exit`, and with 1 when it
    raises anything else.
    """
    parent = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if not child:
        _run(name, work, parent)
    return child


def _run(name: str, work: Callable[[], None], parent: int) -> NoReturn:
    status = 1
    try:
        for each in HANDLED:
            signal.signal(each, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent passes it on in order
        die_with(parent)
        work()
        status = 0
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except BaseException:
        log.exception("the %s process failed", name)
    finally:
        logging.shutdown()
        os._exit(status)
