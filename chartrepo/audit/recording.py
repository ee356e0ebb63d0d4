"""Where records go when they are made: into the spool, and to standard output where somebody collects them there."""

import logging
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from chartrepo.audit.spool import Spool
from chartrepo.core.audit import Record, stamp

log = logging.getLogger(__name__)

_STDOUT: Final = 1


class Unaudited:
    """Takes records, for a server that keeps none: it does nothing with them."""

    is_on: bool = False

    def tell(self, record: Record) -> None:
        """Take a record, which gets its id and its time here."""


class Audit(Unaudited):
    """Takes records. A change that was made is not undone because its record cannot be written: the log gets it then.

    Args:
        spool: where they wait for their way to the storage.
        stdout: whether they are written to standard output as well.
        lost: told of each that could not be written into the spool.
        clock: seconds since the epoch.
    """

    is_on = True

    def __init__(
        self,
        spool: Spool,
        *,
        stdout: bool = False,
        lost: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._spool = spool
        self._stdout = stdout
        self._lost = lost
        self._clock = clock

    def tell(self, record: Record) -> None:
        """Take a record, see `Unaudited.tell`. It is kept on return, whatever becomes of this process."""
        line = replace(record, id=secrets.token_hex(8), time=stamp(self._clock())).to_line()
        try:
            self._spool.append(line)
        except OSError as error:
            self._lost()
            log.error(  # noqa: TRY400 - where it happened is known
                "an audit record could not be kept (%s), and is in this line alone: %s",
                error.strerror,
                line.decode("ascii").rstrip(),
            )
        if self._stdout:
            try:
                os.write(_STDOUT, line)
            except OSError:
                return  # whoever reads it is gone; the record is kept elsewhere
