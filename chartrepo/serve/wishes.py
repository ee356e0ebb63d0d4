"""How other processes ask the background process for work: by touching a file, which survives whoever asked."""

import contextlib
from pathlib import Path


class Wishes:
    """What the background process is asked for.

    Args:
        folder: the server's state.
    """

    def __init__(self, folder: Path) -> None:
        self._sync = folder / "sync-wanted"

    def sync(self) -> None:
        """Ask for a sync, soon. Where the disk is full it comes at its usual time."""
        with contextlib.suppress(OSError):
            self._sync.touch()

    def wants_sync(self) -> bool:
        """Return whether a sync is asked for."""
        return self._sync.exists()

    def forget_sync(self) -> None:
        """Take what was asked for as done. To be called before a sync begins: whoever asks later means a later one."""
        with contextlib.suppress(OSError):
            self._sync.unlink()
