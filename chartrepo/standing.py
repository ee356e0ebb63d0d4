"""How a server stands: what its settings say, what it found when it started, and how its processes fare."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from chartrepo.catalog import sqlite_file
from chartrepo.kinds import CATALOG
from chartrepo.settings import TABLE, Setting, Settings
from chartrepo.sync_notes import SyncNote, SyncNotes

_NOT_SHOWN: Final = "set, and not shown"
_OF_THE_CATALOG: Final = ("", "-wal")


class ShownSetting(NamedTuple):
    """A setting that has not its default, as it may be shown."""

    name: str
    value: str
    default: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a server outside of its storage and catalog.

    Attributes:
        settings: of it.
        storage: where packages lie, for people.
        conditional_writes: whether the storage honours conditions.
        writes_are_safe: whether two writers are kept apart.
        workers: tells how many workers live; None where nobody counts.
        notes: how syncs went.
    """

    settings: Settings
    storage: str
    conditional_writes: bool
    writes_are_safe: bool
    workers: Callable[[], int | None]
    notes: SyncNotes

    @property
    def last_sync(self) -> SyncNote:
        """How the last sync went."""
        return self.notes.read()

    @property
    def catalog(self) -> str:
        """Where the catalog is, without a password."""
        file = sqlite_file(self.settings.catalog)
        return f"SQLite, {file}" if file is not None else f"PostgreSQL, {CATALOG.hide(self.settings.catalog)}"

    @property
    def catalog_size(self) -> int | None:
        """Bytes of the catalog's files; None where it is in no file of this machine."""
        file = sqlite_file(self.settings.catalog)
        if file is None:
            return None
        target = file.resolve()  # the name is a link to what is in use; see `chartrepo.catalog.generations`
        return sum(_size(Path(f"{target}{end}")) for end in _OF_THE_CATALOG)

    @property
    def free(self) -> int | None:
        """Bytes that are free where the server keeps its own state; None where that cannot be told."""
        try:
            return shutil.disk_usage(self.settings.state_dir).free
        except OSError:
            return None

    def changed_settings(self) -> list[ShownSetting]:
        """Return the settings that have not their default, without what is secret."""
        return list(_changed(self.settings))


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _changed(settings: Settings) -> Iterator[ShownSetting]:
    values = {setting.name: getattr(settings, setting.name) for setting in TABLE}
    fixed = Settings.__dataclass_fields__
    for setting in TABLE:
        value = values[setting.name]
        default = setting.derive(values) if setting.derive is not None else fixed[setting.name].default
        if value != default:
            yield ShownSetting(setting.name, _shown(setting, value), setting.default)


def _shown(setting: Setting, value: object) -> str:
    if setting.secret:
        return CATALOG.hide(str(value)) if setting.kind is CATALOG else _NOT_SHOWN
    return setting.kind.show(value)
