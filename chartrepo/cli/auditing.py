"""Records of what commands change, and `chartrepo audit`, which prints what was recorded."""

import os
import pwd
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from chartrepo import assembly
from chartrepo.audit import MOST
from chartrepo.cli.console import remark, say
from chartrepo.core import audit
from chartrepo.core.audit import Deed, Outcome, Record
from chartrepo.settings import Settings
from storage.base import Misconfigured, StorageError

_PROTOCOL: Final = "command"


@contextmanager
def recording(settings: Settings) -> Iterator[Callable[[Record], None]]:
    """Give what takes the records of a command, see `done`, and take them to the storage when it has ended.

    What cannot be taken there is left to the next command, or a server, on the same `state_dir`.
    """
    taking = assembly.audit(settings)
    try:
        yield taking.tell
    finally:
        if taking.is_on:
            try:
                assembly.journal(settings, assembly.storages(settings)).take_in(assembly.audit_spool(settings))
            except StorageError as error:
                remark(f"note: the audit records of this are not in the storage yet, but wait in state_dir: {error}")


def done(action: Deed) -> Record:
    """Return the record of something that whoever runs this command has done."""
    return Record(action=action, outcome=Outcome.DONE, caller=f"{_PROTOCOL}:{_user()}", protocol=_PROTOCOL)


def _user() -> str:
    """The user of the operating system, by its number where it has no name."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def run_audit(settings: Settings, arguments: Mapping[str, str], *, limit: int) -> None:
    """Print records, the newest first, as lines of JSON.

    Args:
        settings: which say where the storage is.
        arguments: as `chartrepo.core.audit.wanted` takes them.
        limit: how many at most.

    Raises:
        ChartrepoError, StorageError: they cannot be had; the message is for people.
    """
    assembly.look(settings)
    records = assembly.records(settings, assembly.storages(settings))
    if records is None:
        raise Misconfigured("with these settings no audit records are kept: set audit to true")
    cursor = ""
    while limit > 0:
        page = records.ask({**arguments, "limit": str(min(limit, MOST)), "cursor": cursor})
        for record in page.records:
            say(record.to_line().decode("ascii").rstrip())
        if page.next is None:
            return
        limit -= len(page.records)
        cursor = audit.cursor(page.next)
