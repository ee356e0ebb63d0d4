"""The fifty uploads and what becomes of them, with us and with Helm 3 and 4.

``python -m tests.support.rows`` prints the table as it comes out, with the Helms that are at hand.
"""

import argparse
import io
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final

from chartrepo.core.archive import read_package
from chartrepo.core.errors import PackageRefused
from tests.support import helm
from tests.support.packages import Entry, Link, archive, chart_yaml, gnu_long_name, gzipped, package, pax, tar

MIB: Final = 1024 * 1024


VARIES: Final = "A or R"
"""What Helm says where its releases differ."""


class Verdict(Enum):
    """What becomes of a package: by Helm, on upload, and when it lies in the storage already."""

    TAKEN = ("A", "A", "A")
    REFUSED = ("R", "R", "R")
    RESERVED = ("A", "R", "A!")
    NEVER = ("A", "R", "R")
    STRICTER = (VARIES, "R", "R")

    def __init__(self, by_helm: str, on_upload: str, in_storage: str) -> None:
        self.by_helm = by_helm
        self.on_upload = on_upload
        self.in_storage = in_storage


@dataclass(frozen=True)
class Row:
    """One upload.

    Attributes:
        number: of the row in the sheet; several rows may try one number's cases.
        what: is odd about it.
        build: makes the package.
        verdict: what becomes of it.
        words: stand in our message where it is refused or reserved.
        beside: a package that must be published before for the oddity to show.
        command: of helm that comes to judge it; `show chart` loads a chart and no more.
        helm3: what Helm 3 says where it differs from Helm 4.
    """

    number: int
    what: str
    build: Callable[[], bytes]
    verdict: Verdict
    words: tuple[str, ...] = ()
    beside: Callable[[], bytes] | None = None
    command: tuple[str, ...] = ("show", "chart")
    helm3: str = ""

    def expected(self, major: int) -> str:
        """`A`, `R`, or `A or R` where Helm's releases differ."""
        return self.helm3 if major == 3 and self.helm3 else self.verdict.by_helm


def chart(files: dict[str, bytes | str] | None = None, **metadata: Any) -> Callable[[], bytes]:
    """A chart that is sound but for what is given."""
    return lambda: package(files=files, **metadata)


def tarred(*items: Entry | tuple[str, bytes | str | Link]) -> Callable[[], bytes]:
    """An archive of these entries."""
    return lambda: archive(items)


def written(text: str | bytes) -> Callable[[], bytes]:
    """A chart with this Chart.yaml."""
    return lambda: archive([("app/Chart.yaml", text)])


SOUND: Final = ("app/Chart.yaml", chart_yaml())
DEPENDENCY: Final = {"name": "db", "version": "1.0.0", "repository": "https://example.com"}
ALIAS_BOMB: Final = (
    chart_yaml()
    + "a: &a [x, x, x, x, x, x, x, x, x]\n"
    + "".join(f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdef", "bcdefg", strict=True))
)

T, R, D = Verdict.TAKEN, Verdict.REFUSED, Verdict.RESERVED

ROWS: Final = (
    Row(1, "plain tar", lambda: tar([SOUND]), R, ("not a gzip file", "helm package")),
    Row(2, "truncated gzip", lambda: package()[:150], R, ("cut off",)),
    Row(3, "bad gzip CRC", lambda: gzipped(tar([SOUND]), crc=1), D, ("checksum",)),
    Row(4, "empty tar", tarred(), R, ("no files",)),
    Row(5, "only directories", tarred(("app/", b""), ("app/templates/", b"")), R, ("no files",)),
    Row(6, "bare Chart.yaml at the top", tarred(("Chart.yaml", chart_yaml())), R, ("'Chart.yaml'", "folder")),
    Row(7, "./Chart.yaml", tarred(("./Chart.yaml", chart_yaml())), D, ("'./Chart.yaml'", "folder")),
    Row(8, "./app/Chart.yaml", tarred(("./app/Chart.yaml", chart_yaml())), R, ("Chart.yaml", "missing")),
    Row(9, "folder differs from the chart's name", tarred(("other/Chart.yaml", chart_yaml())), T),
    Row(
        10,
        "two charts in two folders",
        tarred(SOUND, ("web/Chart.yaml", chart_yaml("web"))),
        D,
        ("'app'", "'web'", "several folders"),
    ),
    Row(11, "Chart.yaml twice", tarred(SOUND, SOUND), D, ("2 files Chart.yaml",)),
    Row(12, "extra file at the top", tarred(SOUND, ("README.md", "hello")), R, ("'README.md'", "outside")),
    Row(13, "app//etc/passwd", tarred(SOUND, ("app//etc/passwd", "x")), R, ("'app//etc/passwd'", "absolute")),
    Row(14, "app/../../x", tarred(SOUND, ("app/../../x", "x")), R, ("'app/../../x'", "leads out")),
    Row(15, "../x", tarred(SOUND, ("../x", "x")), Verdict.NEVER, ("'../x'", "leads out")),
    Row(16, "app/..foo", tarred(SOUND, ("app/..foo", "x")), R, ("'app/..foo'", "rename")),
    Row(17, "app/c:/foo", tarred(SOUND, ("app/c:/foo", "x")), R, ("'app/c:/foo'", "drive letter")),
    Row(18, "app\\Chart.yaml", tarred(("app\\Chart.yaml", chart_yaml())), T),
    Row(19, "symbolic link", tarred(SOUND, ("app/values.yaml", Link("/etc/passwd"))), D, ("'values.yaml'", "link")),
    Row(20, "Chart.yaml a symbolic link", tarred(("app/Chart.yaml", Link("other.yaml"))), R, ("Chart.yaml", "link")),
    Row(21, "pax global header", tarred(pax({"comment": "0123abcd"}, kind=b"g"), SOUND), T),
    Row(
        22,
        "file pax_global_header at the top",
        tarred(("pax_global_header", "x"), SOUND),
        R,
        ("'pax_global_header'", "outside"),
    ),
    Row(
        23,
        "a file of 5 MiB and 1 byte",
        chart({"big.bin": bytes(5 * MIB + 1)}),
        Verdict.STRICTER,
        ("'big.bin'", "5242881", "5242880"),
    ),
    Row(23, "a file of 5 MiB", chart({"big.bin": bytes(5 * MIB)}), T),
    Row(
        24,
        "100 MiB of files",
        lambda: archive([SOUND, *((f"app/{n}.bin", bytes(5 * MIB)) for n in range(20))]),
        R,
        ("104857600",),
    ),
    Row(
        24,
        "100 MiB of files less 1 byte",
        lambda: archive(
            [
                SOUND,
                *((f"app/{n}.bin", bytes(5 * MIB)) for n in range(19)),
                ("app/last.bin", bytes(5 * MIB - 1 - len(chart_yaml()))),
            ]
        ),
        T,
    ),
    Row(25, "Chart.yml", tarred(("app/Chart.yml", chart_yaml())), R, ("Chart.yaml", "missing", "rename Chart.yml")),
    Row(26, "values.yaml a list", chart({"values.yaml": "- a\n"}), R, ("values.yaml", "a list")),
    Row(27, "invalid JSON in values.schema.json", chart({"values.schema.json": "{"}), T),
    Row(
        28,
        "requirements.yaml sets the name",
        chart({"requirements.yaml": "name: other\n"}, apiVersion="v1"),
        D,
        ("requirements.yaml", "name"),
    ),
    Row(
        28,
        "requirements.yaml with dependencies",
        chart({"requirements.yaml": "dependencies:\n- {name: db, version: 1.0.0, repository: 'https://x.example'}\n"}),
        T,
    ),
    Row(29, "charts/README.md", chart({"charts/README.md": "hello"}), R, ("charts/README.md", "no chart")),
    Row(29, "charts/_README.md", chart({"charts/_README.md": "hello"}), T),
    Row(30, "corrupt subchart", chart({"charts/db-1.0.0.tgz": b"\x1f\x8b\x08 garbage"}), R, ("charts/db-1.0.0.tgz",)),
    Row(31, "no apiVersion", chart(apiVersion=None), T),
    Row(
        32,
        "apiVersion v9",
        chart(apiVersion="v9"),
        R,
        ("Chart.yaml", "apiVersion 'v9'", "v2"),
        command=("template", "release"),
        helm3="A",
    ),
    Row(33, "name a/b", chart(name="a/b", folder="app"), R, ("Chart.yaml", "name 'a/b'", "'/'")),
    Row(33, "name ..", chart(name="..", folder="app"), R, ("Chart.yaml", "name '..'"), helm3=VARIES),
    Row(34, "name /", chart(name="/", folder="app"), Verdict.NEVER, ("Chart.yaml", "name '/'")),
    Row(35, "name App", chart(name="App"), T),
    Row(
        36,
        "name yes without quotes",
        written("apiVersion: v2\nname: yes\nversion: 1.0.0\n"),
        D,
        ("Chart.yaml", "name 'yes'", "'true'", "quotes"),
    ),
    Row(36, "name true without quotes", written("apiVersion: v2\nname: true\nversion: 1.0.0\n"), T),
    *(Row(37, f"version {text}", chart(version=text), T) for text in ("v1.2.3", "1.2", "01.2.3", "1.2.3+build")),
    *(
        Row(38, f"version {text!r}", chart(version=text), R, ("Chart.yaml", f"version {text!r}", "1.2.3"))
        for text in ("V1.2.3", "1.2.3.4", "latest", "1.2.3 ")
    ),
    *(
        Row(39, f"version {text}", chart(version=text), R, ("Chart.yaml", f"version {text!r}"))
        for text in ("1.2.3-01", "1.2.3+a_b")
    ),
    Row(
        40,
        "version 1.10 without quotes",
        written("apiVersion: v2\nname: app\nversion: 1.10\n"),
        D,
        ("Chart.yaml", "version '1.10'", "'1.1'", "quotes"),
    ),
    Row(40, "version 1.2 without quotes", written("apiVersion: v2\nname: app\nversion: 1.2\n"), T),
    Row(
        41,
        "version over 256 bytes",
        chart(version="1.0.0-" + 300 * "a"),
        Verdict.STRICTER,
        ("Chart.yaml", "version", "256 bytes"),
    ),
    Row(42, "version that makes a tag over 128", chart(version="1.0.0-" + 130 * "a"), T),
    Row(
        43,
        "a 1-2.0 beside a-1 2.0",
        lambda: package("a-1", "2.0"),
        D,
        ("a-1-2.0.tgz",),
        beside=lambda: package("a", "1-2.0"),
    ),
    Row(44, "type Library", chart(type="Library"), R, ("Chart.yaml", "type 'Library'", "library")),
    Row(45, "null maintainer", chart(maintainers=[None]), R, ("Chart.yaml", "maintainers[0]", "empty")),
    Row(45, "null dependency", chart(dependencies=[None]), R, ("Chart.yaml", "dependencies[0]", "empty")),
    Row(46, "dependency twice", chart(dependencies=[DEPENDENCY] * 2), R, ("dependencies[1]", "'db'", "alias")),
    Row(46, "alias a.b", chart(dependencies=[DEPENDENCY | {"alias": "a.b"}]), R, ("dependencies[0].alias", "'a.b'")),
    Row(47, "annotation a number", chart(annotations={"a": 1}), T),
    Row(47, "annotation a mapping", chart(annotations={"a": {"b": 1}}), R, ("annotations 'a'", "a mapping")),
    Row(48, "deprecated: 'true'", chart(deprecated="true"), R, ("deprecated", "'true'", "without quotes")),
    Row(49, "unknown key", chart(unknown="x"), T),
    Row(49, "duplicate key", written(chart_yaml() + "name: other\n"), T),
    Row(50, "alias bomb", written(ALIAS_BOMB), R, ("Chart.yaml", "aliases")),
    Row(50, "NUL", written(chart_yaml() + "home: a\0b\n"), R, ("Chart.yaml", "control characters")),
    Row(50, "invalid UTF-8", written(chart_yaml().encode() + b"home: \xff\n"), R, ("Chart.yaml", "UTF-8")),
    # What the sheet's first section says besides.
    Row(0, "pax path", tarred(pax({"path": "app/Chart.yaml"}), Entry("short", chart_yaml().encode())), T),
    Row(0, "GNU long name", tarred(SOUND, gnu_long_name(f"app/{'x' * 200}"), Entry("app/xxx", b"x")), T),
    Row(0, "byte order mark", written(b"\xef\xbb\xbf" + chart_yaml().encode()), T),
    Row(0, "no end marker", lambda: archive([SOUND], end=b""), T),
    Row(0, "two gzip members", lambda: gzipped(tar([SOUND], end=b"")) + gzipped(tar([])), T),
    Row(0, "bytes after the gzip file", lambda: package() + b"garbage", D, ("follows",)),
    Row(0, "YAML 1.2", written("%YAML 1.2\n---\n" + chart_yaml()), R, ("Chart.yaml", "1.2", "1.1")),
)


def on_upload(package: bytes) -> tuple[str, str]:
    """What an upload of it would be told: `A` or `R`, and the message."""
    try:
        found = read_package(io.BytesIO(package)).reservations
    except PackageRefused as refused:
        return "R", str(refused)
    return ("R", "; ".join(found)) if found else ("A", "")


def in_storage(package: bytes) -> tuple[str, str]:
    """What becomes of it where it lies in the storage: `A`, `A!` with a warning, or `R`."""
    try:
        found = read_package(io.BytesIO(package)).reservations
    except PackageRefused as refused:
        return "R", str(refused)
    return ("A!", "; ".join(found)) if found else ("A", "")


def by_helm(binary: helm.Helm, row: Row) -> tuple[str, str]:
    """What a helm says to the package: `A` or `R`, and its words where it refuses."""
    file = binary.home / "package.tgz"
    binary.home.mkdir(parents=True, exist_ok=True)
    file.write_bytes(row.build())
    answer = binary.run(*row.command, file, check=False)
    return ("A", "") if answer.returncode == 0 else ("R", answer.stderr.strip())


def table(helms: list[helm.Helm], *, messages: bool) -> Iterator[str]:
    """Lines with what we and the helms say to each upload, and below each our message if that is asked for."""
    versions = [one.run("version", "--template", "{{.Version}}").stdout.strip() for one in helms]
    yield _line("#", "upload", "ours", "stored", *versions)
    for row in ROWS:
        built = row.build()
        ours, message = on_upload(built)
        theirs = [by_helm(one, row)[0] for one in helms]
        yield _line(str(row.number or "-"), row.what, ours, in_storage(built)[0], *theirs)
        if message and messages:
            yield f"     {message}"


def _line(number: str, what: str, *verdicts: str) -> str:
    return f"{number:>3}  {what:40}" + "".join(f"{verdict:9}" for verdict in verdicts)


def main() -> None:
    """Print what we and Helm 3 and 4 say to each of the uploads."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--messages", action="store_true", help="print our message below each row that has one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        helms = [helm.Helm(helm.binary(major), Path(folder, str(major))) for major in (3, 4)]
        for line in table(helms, messages=arguments.messages):
            sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
