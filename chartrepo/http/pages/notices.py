"""What a page says of what was done a moment ago.

Whoever did something is sent on to a page whose address says by a word of ours what it was. Nothing of an address is
shown as text, so that nobody can make a page say something by a link to it.
"""

from collections.abc import Mapping
from typing import Final

DONE: Final = "done"
"""The argument of the address."""
DELETED: Final = "deleted"
PUBLISHED: Final = "published"
REPLACED: Final = "replaced"
UNCHANGED: Final = "unchanged"
WITHHELD: Final = "withheld"
SYNCED: Final = "synced"

_SENTENCES: Final[Mapping[str, str]] = {
    DELETED: "It was deleted. Nobody can get it here any more.",
    PUBLISHED: "It was published. Everybody who may read it sees it now.",
    REPLACED: "It was published, and replaced what was there.",
    UNCHANGED: "The very same package was there already, and stays.",
    WITHHELD: "It was stored. Readers do not see it until its provenance is there.",
    SYNCED: "The catalog was compared with the storage.",
}


def notice_of(arguments: Mapping[str, str]) -> str | None:
    """Return what to say, by the arguments of an address; None for nothing."""
    return _SENTENCES.get(arguments.get(DONE, ""))
