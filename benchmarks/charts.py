"""Chart packages like those of `helm create`, any number of them, the same bytes for the same parameters."""

import os
import random
import shutil
import struct
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Final

PER_CHART: Final = 50
_PLACEHOLDER: Final = "chartname"
_OWN_FILES: Final = Path(__file__).parent / "chart"
_GZIP_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_PACKED: Final = 1_700_000_000
"""The time of every package, in seconds since the epoch: bytes do not depend on when they were made."""


@dataclass(frozen=True, slots=True)
class Release:
    """One version of one chart."""

    chart: str
    version: str

    @property
    def file(self) -> str:
        """The package's file name; it occurs exactly once in an index, in any of its forms."""
        return f"{self.chart}-{self.version}.tgz"


@dataclass(frozen=True, slots=True)
class Template:
    """What every package is made of, but for Chart.yaml.

    Attributes:
        files: path inside the chart -> bytes, with `chartname` where the chart's name belongs, in the archive's order.
        origin: where the files came from, for the report.
    """

    files: Mapping[str, bytes]
    origin: str

    @property
    def fingerprint(self) -> str:
        """Differs when any file does."""
        return sha256(repr(sorted(self.files.items())).encode()).hexdigest()[:8]


def own_template() -> Template:
    """The small chart that lies beside this module."""
    return Template(_read_files(_OWN_FILES), "benchmarks/chart")


def helm_template(helm: Path) -> Template:
    """What this Helm's `create` writes."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([helm, "create", _PLACEHOLDER], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        files = _read_files(Path(folder, _PLACEHOLDER))
    return Template({name: data for name, data in files.items() if name != "Chart.yaml"}, "helm create")


def _read_files(folder: Path) -> dict[str, bytes]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


class Corpus:
    """A repository of `count` versions, `per_chart` of them a chart, chosen by `seed`."""

    def __init__(self, template: Template, *, count: int, per_chart: int = PER_CHART, seed: int = 1) -> None:
        self.template = template
        self.count = count
        self.per_chart = per_chart
        self.seed = seed
        self._names = _chart_names(-(-count // per_chart), seed)
        self._tail = lru_cache(maxsize=64)(self._make_tail)

    def releases(self) -> Iterator[Release]:
        """All that the repository holds, chart by chart, oldest first. One in ten is a release candidate."""
        for number in range(self.count):
            chart, nth = divmod(number, self.per_chart)
            candidate = "-rc.1" if nth % 10 == 9 else ""  # noqa: PLR2004 - the tenth of ten
            yield Release(self._names[chart], f"{1 + chart % 3}.{nth // 10}.{nth % 10}{candidate}")

    def fresh(self, number: int) -> Release:
        """The `number`th release that the repository does not hold, a newer version of one of its charts."""
        return Release(self._names[number * 7919 % len(self._names)], f"100.{number}.0")

    def package(self, release: Release) -> bytes:
        """The package's bytes: gzip of a tar, Chart.yaml first, as `helm package` writes it.

        Versions of one chart differ in Chart.yaml only, so the rest is compressed once for each chart.
        """
        head = _member(
            f"{release.chart}/Chart.yaml",
            f'apiVersion: v2\nappVersion: "{release.version}"\ndescription: A Helm chart for Kubernetes\n'
            f"name: {release.chart}\ntype: application\nversion: {release.version}\n".encode(),
        )
        tail, packed_tail = self._tail(release.chart)
        deflate = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
        packed_head = deflate.compress(head) + deflate.flush(zlib.Z_FULL_FLUSH)
        checksum = zlib.crc32(tail, zlib.crc32(head))
        return _GZIP_HEADER + packed_head + packed_tail + struct.pack("<LL", checksum, len(head) + len(tail))

    def _make_tail(self, chart: str) -> tuple[bytes, bytes]:
        """Everything after Chart.yaml, plain and deflated."""
        members = [
            _member(f"{chart}/{path}", data.replace(_PLACEHOLDER.encode(), chart.encode()))
            for path, data in self.template.files.items()
        ]
        tail = b"".join(members) + bytes(2 * tarfile.BLOCKSIZE)
        deflate = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
        return tail, deflate.compress(tail) + deflate.flush(zlib.Z_FINISH)

    def write(self, folder: Path) -> None:
        """Put all packages into `folder`, flat, as ChartMuseum keeps them."""
        for release in self.releases():
            path = folder / release.file
            path.write_bytes(self.package(release))
            os.utime(path, (_PACKED, _PACKED))

    def cached(self, cache: Path) -> Path:
        """A folder below `cache` with all packages, made when it is not there yet. It must not be changed."""
        folder = cache / f"{self.count}-{self.per_chart}-{self.seed}-{self.template.fingerprint}"
        if not folder.is_dir():
            cache.mkdir(parents=True, exist_ok=True)
            unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=cache))
            self.write(unfinished)
            unfinished.rename(folder)
        return folder


def copy_folder(source: Path, target: Path) -> None:
    """Make `target` a copy that may be added to. The packages are hard links, which is fast and costs no disk."""
    shutil.copytree(source, target, copy_function=os.link)


def _member(path: str, data: bytes) -> bytes:
    """One file in a tar: header, bytes, padding."""
    info = tarfile.TarInfo(path)
    info.size = len(data)
    info.mtime = _PACKED
    archive = BytesIO()
    archive.write(info.tobuf(tarfile.PAX_FORMAT))
    archive.write(data)
    archive.write(bytes(-len(data) % tarfile.BLOCKSIZE))
    return archive.getvalue()


def _chart_names(count: int, seed: int) -> list[str]:
    """Names as people give them; the number keeps them apart."""
    chance = random.Random(seed)
    first = ("blue", "calm", "dry", "early", "fair", "grand", "high", "ivory", "keen", "lucid")
    second = ("api", "broker", "cache", "db", "edge", "feed", "gateway", "jobs", "mail", "store", "web", "worker")
    return [f"{chance.choice(first)}-{chance.choice(second)}-{number}" for number in range(count)]
