"""Which signatures were accepted: what was stays shown, whatever becomes of the key.

A note of each lies in the storage of the server's state, so that a catalog that is built anew shows the same. It is
looked at only where a signature does not hold today. A note belongs to one package file and to the bytes in it; it goes
when these go, so that a deleted version does not come back by it.
"""

import json
import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from chartrepo import layout
from chartrepo.core.signers import Signer
from storage.base import ANYWAY, NotFound, Storage, StorageError

log = logging.getLogger(__name__)

_MAX_BYTES: Final = 64 * 1024
_MOST_SEEN: Final = 10_000


@dataclass(frozen=True, slots=True)
class Acceptance:
    """That a signature was accepted.

    Attributes:
        signer: whose it was.
        files: by the keys of which files.
    """

    signer: Signer
    files: tuple[str, ...]


class Acceptances:
    """The notes in a storage.

    Args:
        state: the storage of the server's state.
        only_look: write none, as whoever tries out other policies has to.
    """

    def __init__(self, state: Storage, *, only_look: bool = False) -> None:
        self._state = state
        self._only_look = only_look
        # Those that this process has seen or written, so that a package that is looked at again costs no write.
        self._seen: dict[str, Acceptance] = {}

    def looking(self) -> "Acceptances":
        """Return the same notes for somebody who writes none."""
        return Acceptances(self._state, only_look=True)

    def find(self, repository: str, file: str, package: str, evidence: str) -> Acceptance | None:
        """Return the note of a signature; None where there is none. For the arguments see `layout.accepted_key`.

        Raises:
            StorageError: nobody knows.
        """
        key = layout.accepted_key(repository, file, package, evidence)
        try:
            with self._state.open(key) as note:
                said = json.loads(note.read(_MAX_BYTES))
            return Acceptance(Signer.from_json(said["signer"]), tuple(map(str, said["files"])))
        except NotFound:
            return None
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            log.warning("the note %s of an accepted signature says nothing that one can make sense of", key)
            return None

    def write(self, repository: str, file: str, package: str, evidence: str, acceptance: Acceptance) -> None:
        """Note that a signature was accepted.

        Raises:
            StorageError: it could not be noted.
        """
        key = layout.accepted_key(repository, file, package, evidence)
        if self._only_look or self._seen.get(key) == acceptance:
            return
        if self.find(repository, file, package, evidence) != acceptance:
            said = {"signer": acceptance.signer.as_json(), "files": acceptance.files}
            self._state.put(key, json.dumps(said).encode() + b"\n", condition=ANYWAY)
        if len(self._seen) >= _MOST_SEEN:
            self._seen.clear()
        self._seen[key] = acceptance

    def forget(self, repository: str, file: str) -> None:
        """Drop the notes about a package file that is gone. What cannot be dropped is logged, and only takes space."""
        prefix = layout.accepted_prefix(repository, file)
        try:
            for info in list(self._state.list(prefix)):
                if "/" in info.key.removeprefix(prefix):
                    continue  # a repository can be called as this file is
                self._seen.pop(info.key, None)
                with suppress(NotFound):
                    self._state.delete(info.key)
        except StorageError as error:
            log.warning("notes of accepted signatures of %s stay behind: %s", layout.key(repository, file), error)
