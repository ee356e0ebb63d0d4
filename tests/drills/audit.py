"""Comparing what a server shows, and what lies in its storage, with what was promised."""

import io
import random
from collections.abc import Iterable
from dataclasses import dataclass, field

from chartrepo.core.archive import read_package
from chartrepo.core.errors import PackageRefused
from tests.drills.clients import ask
from tests.drills.ledger import Content, Key, Ledger, Settled, digest
from tests.drills.places import Place
from tests.support.http import Got

_HELM = {"User-Agent": "Helm/3.17.3"}
"""Whoever calls itself so gets the index as JSON, which is read in a tenth of the time."""


@dataclass
class Findings:
    """What is not as it was promised; each a sentence, at most one for a key in each list.

    Attributes:
        lost: acknowledged and not there, or deleted and there again.
        half: packages in storage that do not read, or whose bytes nobody sent.
        wrong_bytes: the index, the server and the storage do not agree on the bytes, or nobody was promised these.
        entries_without_package: the index names a package that is not served.
        unlisted: packages in storage that the index does not show.
        leftovers: other files between the packages, and provenance without a package.
        garbage: what came through OCI, is dead, and is there after a gc.
        looks: how often this was looked at while the server was under load.
    """

    lost: set[str] = field(default_factory=set)
    half: set[str] = field(default_factory=set)
    wrong_bytes: set[str] = field(default_factory=set)
    entries_without_package: set[str] = field(default_factory=set)
    unlisted: set[str] = field(default_factory=set)
    leftovers: set[str] = field(default_factory=set)
    garbage: set[str] = field(default_factory=set)
    looks: int = 0

    @property
    def broken(self) -> list[str]:
        """All that breaks a promise. Leftovers do not: they are shown to nobody."""
        shown = (self.lost, self.half, self.wrong_bytes, self.entries_without_package, self.unlisted)
        lists = (*shown, self.garbage)
        return sorted(sentence for sentences in lists for sentence in sentences)


def look(base: str, ledger: Ledger, findings: Findings, chance: random.Random, *, sample: int = 10) -> None:
    """Judge an index and some packages while clients write. What is written to meanwhile is left alone."""
    for repository in _repositories(ledger.settled()):
        before = _of(ledger.settled(), repository)
        digests = index(base, repository)
        after = _of(ledger.settled(), repository)
        if digests is None:
            continue
        findings.looks += 1
        for key, settled in before.items():
            if after.get(key) == settled:
                shown = digests.get((key.name, key.version), "")
                _judge(findings, key, settled.allowed, shown, "the index")
    keys = sorted(ledger.settled())
    for key in chance.sample(keys, min(sample, len(keys))):
        promised = ledger.settled().get(key)
        got = package(base, key)
        if promised is not None and got is not None and ledger.settled().get(key) == promised:
            _judge(findings, key, promised.allowed, digest(got.body) if got.status == 200 else "", "the server")


def audit(bases: Iterable[str], ledger: Ledger, place: Place, findings: Findings) -> None:
    """Judge everything, after all clients have stopped."""
    settled = ledger.settled()
    stored = dict(place.objects())
    _audit_storage(stored, settled, ledger, findings)
    for base in bases:
        for repository in _repositories(settled):
            _audit_repository(base, repository, _of(settled, repository), stored, findings)


def index(base: str, repository: str) -> dict[tuple[str, str], str] | None:
    """The digest of each name and version; None where there is no index for now."""
    url = f"{base}/{repository}/index.yaml" if repository else f"{base}/index.yaml"
    got = ask("GET", url, headers=_HELM)
    if got is None or got.status != 200:
        return None
    return {(one["name"], one["version"]): one["digest"] for chart in got.json["entries"].values() for one in chart}


def package(base: str, key: Key, suffix: str = "") -> Got | None:
    """The answer to a GET of a package; None where none came, or one that says to come back later."""
    got = ask("GET", package_url(base, key) + suffix)
    return got if got is not None and got.status < 500 else None


def package_url(base: str, key: Key) -> str:
    """Where a package is served."""
    folder = f"{key.repository}/charts" if key.repository else "charts"
    return f"{base}/{folder}/{key.file}"


def _repositories(settled: Iterable[Key]) -> list[str]:
    return sorted({key.repository for key in settled})


def _of(settled: dict[Key, Settled[Content]], repository: str) -> dict[Key, Settled[Content]]:
    return {key: page for key, page in settled.items() if key.repository == repository}


def _judge(findings: Findings, key: Key, allowed: frozenset[Content], shown: str, who: str) -> None:
    packages = {content.package for content in allowed}
    if shown in packages:
        return
    said = f"{key.path}: {who} shows {shown[:12] or 'nothing'}, and {_list(packages)} was promised"
    if shown and "" not in packages:
        findings.wrong_bytes.add(said)
    else:
        findings.lost.add(said)


def _list(packages: Iterable[str]) -> str:
    return " or ".join(sorted(one[:12] or "nothing" for one in packages))


def _audit_storage(
    stored: dict[str, bytes], settled: dict[Key, Settled[Content]], ledger: Ledger, findings: Findings
) -> None:
    keys = {key.path: key for key in settled}
    for path, data in stored.items():
        if path.endswith(".tgz.prov"):
            if path.removesuffix(".prov") not in stored:
                findings.leftovers.add(f"{path}: provenance without a package")
        elif path.startswith("_oci/"):
            continue  # see `tests.drills.audit_pushed`
        elif not path.endswith(".tgz"):
            findings.leftovers.add(f"{path}: neither a package nor provenance")
        elif path not in keys or digest(data) not in ledger.sent(keys[path]):
            findings.half.add(f"{path}: these {len(data)} bytes were never sent")
        elif (problem := _unreadable(data)) is not None:
            findings.half.add(f"{path}: {problem}")


def _unreadable(data: bytes) -> str | None:
    try:
        read_package(io.BytesIO(data))
    except PackageRefused as refused:
        return str(refused)
    return None


def _audit_repository(
    base: str, repository: str, settled: dict[Key, Settled[Content]], stored: dict[str, bytes], findings: Findings
) -> None:
    digests = index(base, repository)
    if digests is None:
        findings.lost.add(f"{base} shows no index of {repository!r}")
        return
    for key, page in settled.items():
        got = package(base, key)
        if got is None:
            findings.lost.add(f"{key.path}: {base} does not answer")
            continue
        served = digest(got.body) if got.status == 200 else ""
        shown = digests.pop((key.name, key.version), "")
        held = digest(stored[key.path]) if key.path in stored else ""
        _judge(findings, key, page.allowed, shown, "the index")
        _judge(findings, key, page.allowed, served, "the server")
        _judge(findings, key, page.allowed, held, "the storage")
        if shown and not served:
            findings.entries_without_package.add(f"{key.path}: in the index, and answered with {got.status}")
        elif held and not shown:
            findings.unlisted.add(f"{key.path}: in storage, and not in the index of {base}")
        elif not shown == served == held:
            findings.wrong_bytes.add(f"{key.path}: index {shown[:12]}, served {served[:12]}, stored {held[:12]}")
        _audit_provenance(base, key, page, served, findings)
    for name, version in digests:
        findings.entries_without_package.add(f"{repository}: {name} {version} is in the index, and nobody sent it")


def _audit_provenance(base: str, key: Key, page: Settled[Content], served: str, findings: Findings) -> None:
    got = package(base, key, ".prov")
    signed = "" if got is None or got.status != 200 else digest(got.body)
    if served and Content(served, signed) not in page.allowed and any(one.package == served for one in page.allowed):
        findings.lost.add(f"{key.path}.prov: the server shows {signed[:12] or 'nothing'}")
