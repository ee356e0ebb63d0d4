"""How large a package may be, and what is left of that while it is read."""

from dataclasses import dataclass
from typing import Final

from chartrepo.core import yaml11
from chartrepo.core.errors import PackageRefused
from chartrepo.core.messages import REPACK
from chartrepo.core.scalars import InvalidYamlError


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a package may be. One set of limits covers a package with all packages inside it.

    Attributes:
        total: bytes of all files must be below this; Helm's limit.
        file: bytes of the largest file; Helm's limit up to 4.2.
        entries: tar headers and gzip members. Helm knows no limit.
        extensions: bytes of pax headers and long names.
        metadata: bytes of Chart.yaml, requirements.yaml and lock files.
        values: bytes of values.yaml files.
        nodes: YAML values in all files that Helm parses.
        depth: of YAML collections in each other.
        charts: in the package, itself included.
        levels: of charts in charts.
    """

    total: int = 100 * 1024 * 1024
    file: int = 5 * 1024 * 1024
    entries: int = 10_000
    extensions: int = 1024 * 1024
    metadata: int = 2 * 1024 * 1024
    values: int = 16 * 1024 * 1024
    nodes: int = 250_000
    depth: int = 100
    charts: int = 1_000
    levels: int = 10


DEFAULT: Final = Limits()


class Budget:
    """What is left of the limits, for a package and all packages inside it.

    Attributes:
        limits: as they were.
        yaml: what is left of the YAML values.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.yaml = yaml11.Budget(limits.nodes, limits.depth)
        self._bytes = limits.total
        self._entries = limits.entries
        self._extensions = limits.extensions
        self._charts = limits.charts
        self._metadata = limits.metadata
        self._values = limits.values

    def spend_entry(self) -> None:
        """Count a tar header or a gzip member.

        Raises:
            PackageRefused: it is one too many.
        """
        self._entries -= 1
        if self._entries < 0:
            raise PackageRefused(f"the package has more than {self.limits.entries} entries: leave out what is no chart")

    def spend_bytes(self, size: int) -> None:
        """Count what one file holds, before it is read.

        Raises:
            PackageRefused: it is one too many.
        """
        self._bytes -= size
        if self._bytes <= 0:
            raise PackageRefused(
                f"the package holds {self.limits.total} bytes or more when unpacked, which Helm does not load: "
                "leave large files out"
            )

    def spend_extension(self, size: int) -> None:
        """Count a pax header or a long name, before it is read.

        Raises:
            PackageRefused: it is one too many.
        """
        self._extensions -= size
        if self._extensions < 0:
            raise PackageRefused(
                f"the archive's extended headers hold more than {self.limits.extensions} bytes: {REPACK}"
            )

    def spend_metadata(self, size: int) -> None:
        """Count a file about the chart, before it is read.

        Raises:
            InvalidYamlError: it is one too many.
        """
        self._metadata -= size
        if self._metadata < 0:
            raise InvalidYamlError(
                f"is too large: all files about charts may hold {self.limits.metadata} bytes together"
            )

    def spend_values(self, size: int) -> None:
        """Count a values.yaml, before it is read.

        Raises:
            InvalidYamlError: it is one too many.
        """
        self._values -= size
        if self._values < 0:
            raise InvalidYamlError(f"is too large: all files values.yaml may hold {self.limits.values} bytes together")

    def spend_chart(self, level: int) -> None:
        """Count a chart inside `level` others.

        Raises:
            PackageRefused: it is one too many, or too deep.
        """
        self._charts -= 1
        if self._charts < 0:
            raise PackageRefused(f"the package holds more than {self.limits.charts} charts: publish some of their own")
        if level > self.limits.levels:
            raise PackageRefused(f"charts lie in charts more than {self.limits.levels} levels deep: flatten them")
