"""Comparing what a server shows of OCI, and what lies in its storage, with what was promised."""

import random
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from chartrepo.core import oci
from tests.drills.audit import Findings, index
from tests.drills.ledger import Ledger, digest
from tests.drills.places import Place
from tests.drills.pushes import (
    BLOBS,
    FOR_NOW,
    MADE,
    MANIFESTS,
    NONE,
    Item,
    Pulled,
    Pushed,
    answered,
    name_of,
    needs_of,
    pull,
    repository,
)
from tests.support.oci_contents import digest_of

_FOLDER: Final = "_oci/"
_TEMPORARY: Final = "/.chartrepo-"
_KINDS: Final = {"_blobs": BLOBS, "_manifests": MANIFESTS, "_tags": "tags"}


def look_pushed(base: str, book: Pushed, findings: Findings, chance: random.Random, *, sample: int = 10) -> None:
    """Judge some of what was pushed while clients write. What is written to meanwhile is left alone."""
    items = sorted(book.settled())
    for item in chance.sample(items, min(sample, len(items))):
        promised = book.settled().get(item)
        shown = _see([base], item, book)
        if shown is not None and promised is not None and book.settled().get(item) == promised:
            _judge(findings, item, promised.allowed, shown)
            findings.looks += 1


def audit_pushed(
    bases: Sequence[str], book: Pushed, findings: Findings, *, kinds: Collection[str] = (BLOBS, MANIFESTS)
) -> None:
    """Judge everything that was pushed, after all clients have stopped; each pull asks all servers in turn."""
    settled = {item: page for item, page in book.settled().items() if item.kind in kinds}
    for number in range(len(bases)):
        turned = [*bases[number:], *bases[:number]]
        tags: defaultdict[str, set[str]] = defaultdict(set)
        for item, page in settled.items():
            shown = _see(turned, item, book)
            if shown is None:
                findings.lost.add(f"{item.path}: {turned[0]} does not answer")
                continue
            _judge(findings, item, page.allowed, shown)
            if item.kind == MANIFESTS and oci.is_tag(item.reference):
                tags[item.name] |= {item.reference} if shown.digest != NONE else set()
        for name, found in tags.items():
            _audit_tags(turned[0], name, found, findings)


def audit_faces(bases: Sequence[str], ledger: Ledger, findings: Findings) -> None:
    """See that every package is the same over both protocols, after all clients have stopped."""
    keys = ledger.settled()
    for base in bases:
        digests = {repository: index(base, repository) or {} for repository in {key.repository for key in keys}}
        for key in keys:
            shown = digests[key.repository].get((key.name, key.version), "")
            pulled = pull([base], name_of(key), key.version)
            if pulled is None:
                findings.lost.add(f"{key.path}: {base} does not answer for its tag")
            elif pulled.faults:
                findings.half.add(f"{key.path}: {'; '.join(pulled.faults)}")
            elif pulled.chart != shown:
                said = f"the index shows {shown[:12] or 'nothing'}, and its tag {pulled.chart[:12] or 'nothing'}"
                findings.wrong_bytes.add(f"{key.path}: {said}")


def _see(bases: Sequence[str], item: Item, book: Pushed) -> Pulled | None:
    if item.kind == BLOBS:
        place = repository(bases[0], item.name)
        got = answered(lambda: place.get_blob(item.reference))
        if got is None or got.status in FOR_NOW:
            return None
        return Pulled(digest_of(got.body) if got.status == 200 else NONE)
    pulled = pull(bases, item.name, item.reference)
    if pulled is not None and pulled.chart and pulled.digest not in book.sent(item):
        pulled.digest = MADE
    return pulled


def _judge(findings: Findings, item: Item, allowed: frozenset[str], shown: Pulled) -> None:
    if shown.faults:
        findings.half.add(f"{item.path}: {'; '.join(shown.faults)}")
    if shown.digest in allowed:
        return
    promised = " or ".join(sorted(_short(one) for one in allowed))
    said = f"{item.path}: it gives {_short(shown.digest)}, and {promised} was promised"
    (findings.lost if NONE in {shown.digest, *allowed} else findings.wrong_bytes).add(said)


def _short(shown: str) -> str:
    return shown[:19] or "nothing"


def _audit_tags(base: str, name: str, found: set[str], findings: Findings) -> None:
    got = answered(lambda: repository(base, name).list_tags())
    listed = set(got.json["tags"]) if got is not None and got.status == 200 else set()
    for tag in found - listed:
        findings.unlisted.add(f"{name}: the tag {tag} is there, and not in the list of {base}")
    for tag in listed - found:
        pulled = pull([base], name, tag)
        if pulled is None or pulled.digest == NONE:
            findings.entries_without_package.add(f"{name}: the tag {tag} is in the list of {base}, and not there")


# ---- storage


class _Object(NamedTuple):
    kind: str
    name: str
    reference: str
    data: bytes


def audit_garbage(place: Place, book: Pushed, findings: Findings) -> None:
    """See that after a gc exactly what is reachable lies in storage: nothing dead, nothing missing, nothing cut."""
    packages: defaultdict[str, set[str]] = defaultdict(set)
    held: defaultdict[str, list[_Object]] = defaultdict(list)
    for path, data in place.objects():
        if path.startswith(_FOLDER):
            found = _object(path, data)
            if _TEMPORARY in path:
                findings.leftovers.add(f"{path}: of a writer that was killed")
            elif found is None:
                findings.garbage.add(f"{path}: it should not be there")
            else:
                held[found.name].append(found)
        elif path.endswith(".tgz"):
            packages[path.rpartition("/")[0]].add(digest(data))
    promised = {item: page.allowed for item, page in book.settled().items()}
    for name, objects in held.items():
        published = {f"sha256:{one}" for one in packages[name.rpartition("/")[0]]}
        findings.half.update(_cut(objects))
        findings.garbage.update(_dead(objects, published))
        findings.garbage.update(_unsent(objects, promised))


def _object(path: str, data: bytes) -> _Object | None:
    match path.removeprefix(_FOLDER).split("/"):
        case [*name, ("_blobs" | "_manifests") as kind, algorithm, encoded] if encoded.isalnum():
            return _Object(_KINDS[kind], "/".join(name), f"{algorithm}:{encoded}", data)
        case [*name, "_tags", tag]:
            return _Object("tags", "/".join(name), tag, data)
    return None


def _cut(objects: Iterable[_Object]) -> Iterator[str]:
    for each in objects:
        if each.kind != "tags" and digest_of(each.data, each.reference.partition(":")[0]) != each.reference:
            yield f"{each.name}/{each.kind}/{each.reference}: these {len(each.data)} bytes have another digest"


def _dead(objects: Sequence[_Object], published: set[str]) -> Iterator[str]:
    needed = {need for each in objects if each.kind == MANIFESTS for _, need in needs_of(each.data)}
    manifests = {each.reference for each in objects if each.kind == MANIFESTS}
    for each in objects:
        if each.kind == BLOBS and each.reference not in needed:
            yield f"{each.name}/{BLOBS}/{each.reference}: nothing needs it"
        if each.kind == BLOBS and each.reference in published:
            yield f"{each.name}/{BLOBS}/{each.reference}: it is a published package, and lies here too"
        if each.kind == "tags" and not any(one.encode() in each.data for one in manifests):
            yield f"{each.name}: the tag {each.reference} names no manifest"


def _unsent(objects: Iterable[_Object], promised: dict[Item, frozenset[str]]) -> Iterator[str]:
    for each in objects:
        if each.kind == MANIFESTS:
            allowed = promised.get(Item(each.name, MANIFESTS, each.reference), frozenset({NONE}))
            if allowed == {NONE}:
                yield f"{each.name}/{MANIFESTS}/{each.reference}: it was deleted, or never sent"
