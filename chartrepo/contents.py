"""What is in packages, read when somebody looks at it, and kept for a while."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from chartrepo.catalog import PackageRecord
from chartrepo.core.archive import Held, hold_files, read_first
from chartrepo.core.chart import CHART_YAML
from chartrepo.core.chart_dependencies import missing, name_in_chart_yaml
from chartrepo.core.errors import FileNotFound, PackageRefused
from chartrepo.core.limits import Limits
from chartrepo.core.made_manifests import metadata_of
from chartrepo.recent import Recent
from chartrepo.repository import Repositories

LARGEST_FILE: Final = 1024 * 1024
"""Bytes of a file that is shown; of larger ones only name and size are known."""
MOST_OF_A_PACKAGE: Final = 8 * 1024 * 1024
"""Bytes that are kept of one package."""
_MOST_OF_ALL: Final = 32 * 1024 * 1024
"""Bytes that a process keeps."""
_BEGINNING: Final = Limits(total=1024 * 1024)
"""How much of a package in charts/ is read for its name, which `helm package` writes first."""
_AROUND: Final = 300
"""Bytes that a file takes beside its own, about."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The files of one package.

    Attributes:
        files: by path, in the order of the archive.
        missing: names of dependencies that are not among them, so that Helm refuses to install the chart.
    """

    files: Mapping[str, Held]
    missing: tuple[str, ...]

    def data(self, path: str) -> bytes | None:
        """Return what a file holds; None where there is none, or it is too large to be shown."""
        file = self.files.get(path)
        return file.data if file is not None else None

    def text(self, path: str) -> str | None:
        """Return what a file holds as text, whatever its bytes are; None as for `data`."""
        data = self.data(path)
        return data.decode("utf-8", "replace") if data is not None else None

    def find(self, *names: str) -> str | None:
        """Return the path of the first of some files at the top of the chart, in whatever case; None for none."""
        tops = {path.lower(): path for path in self.files if "/" not in path}
        return next((tops[name.lower()] for name in names if name.lower() in tops), None)

    @property
    def size(self) -> int:
        """Bytes that it takes in memory, about."""
        return sum(len(file.data or b"") + len(path) + _AROUND for path, file in self.files.items())


class ContentsCache:
    """Reads packages, and keeps what was read last. Safe to share between threads.

    Args:
        repositories: where packages come from.
        most: bytes that are kept.
    """

    def __init__(self, repositories: Repositories, *, most: int = _MOST_OF_ALL) -> None:
        self._repositories = repositories
        self._recent = Recent[Contents](weigh=lambda contents: contents.size, together=most)

    def of(self, record: PackageRecord) -> Contents:
        """Return what is in a package.

        Raises:
            FileNotFound: it is gone, or another package since the catalog was asked.
            PackageRefused: it cannot be read (any more).
            Unavailable: the storage does not answer.
        """
        return self._recent.get(record.digest, partial(self._read, record))

    def _read(self, record: PackageRecord) -> Contents:
        opened = self._repositories.open_package(record.repository, record.file)
        with opened.reader as package:
            if opened.served is not None and opened.served.digest != record.digest:
                raise FileNotFound(f"{record.file} was replaced a moment ago: try again")
            files = hold_files(package, each=LARGEST_FILE, together=MOST_OF_A_PACKAGE)
        return Contents(files, missing(metadata_of(record.entry_json), files, partial(_name_in, files)))


def _name_in(files: Mapping[str, Held], path: str) -> str:
    """Return the name of a chart in charts/; empty where it cannot be told."""
    if not path.endswith(".tgz"):
        found = files.get(f"{path}/{CHART_YAML}")
        return name_in_chart_yaml(found.data if found is not None else None)
    packed = files[path].data
    try:
        return name_in_chart_yaml(
            read_first(io.BytesIO(packed), CHART_YAML, _BEGINNING) if packed is not None else None
        )
    except PackageRefused:
        return ""
