"""Garbage is collected again and again beside clients that push, delete, and push again what has blobs in common.

    python -m tests.drills.collect --seconds 180 [--grace 2] [--storage local|moto|versitygw]

The exit status is 0 where nothing that was acknowledged and not deleted is missing, at any moment, and where after a
last gc nothing dead is left. With `--grace 0` a push under way may be told MANIFEST_BLOB_UNKNOWN, and succeeds when it
is made again as a whole. With a grace that is longer than a push takes, that is told to nobody who sent all blobs. Who
found a blob there that nothing needed may be told so at any grace: it was condemned after the question.
"""

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from chartrepo.core.oci import is_tag
from tests.drills.audit import Findings, audit
from tests.drills.audit_pushed import audit_faces, audit_garbage, audit_pushed, look_pushed
from tests.drills.clients import CLIENTS, Writer, make
from tests.drills.ledger import NOTHING, Key, Ledger
from tests.drills.ledger import Content as Packaged
from tests.drills.places import Place, opened
from tests.drills.pushes import (
    FOR_NOW,
    MANIFESTS,
    NONE,
    Item,
    Pushed,
    answered,
    chart,
    lacks_a_blob,
    name_of,
    push,
    repository,
)
from tests.drills.sites import Site
from tests.drills.tables import counted, table
from tests.support.http import Got
from tests.support.oci_contents import IMAGE, OCTETS, Bundle, Content, manifest
from tests.support.processes import ServerError

_NAMES: Final = ("shared/one", "shared/two")
_SIZES: Final = (10, 5_000, 50_000, 300_000)
_BLOBS: Final = 8
_TRIES: Final = 50


@dataclass
class Result:
    """What the drill did and found.

    Attributes:
        ledger: what was acknowledged of packages.
        book: what was acknowledged of manifests and tags.
        findings: what of that does not hold.
        collected: what all runs of gc did, and how many there were.
        again: pushes that were made again as a whole.
        slowest: seconds that the slowest try to push took.
        failed: what did not work at all, each a sentence.
    """

    ledger: Ledger = field(default_factory=Ledger)
    book: Pushed = field(default_factory=Pushed)
    findings: Findings = field(default_factory=Findings)
    collected: Counter[str] = field(default_factory=Counter)
    again: int = 0
    slowest: float = 0
    failed: list[str] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """Every broken promise, as sentences."""
        return [*self.findings.broken, *self.ledger.strange, *self.book.strange, *self.failed]

    def rows(self) -> dict[str, object]:
        """The counts, for people."""
        return {
            "runs of gc": self.collected["runs"],
            "removed": counted({kind: self.collected[kind] for kind in ("blobs", "manifests", "tags")}),
            "condemned, and spared": f"{self.collected['condemned']}, {self.collected['spared']}",
            "acknowledged": counted({**self.ledger.acknowledged, **self.book.acknowledged}),
            "pushes made again as a whole": self.again,
            "slowest push, s": f"{self.slowest:.2f}",
            "looks under load": self.findings.looks,
            "lost": len(self.findings.lost),
            "not whole": len(self.findings.half),
            "wrong bytes": len(self.findings.wrong_bytes),
            "listed and not there": len(self.findings.entries_without_package),
            "there and not listed": len(self.findings.unlisted),
            "garbage at the end": len(self.findings.garbage),
            "wrong answers": len(self.ledger.strange) + len(self.book.strange),
        }


def collect_beside(
    place: Place, folder: Path, *, seconds: float, grace: float, seed: int = 1, clients: int = CLIENTS
) -> Result:
    """Collect garbage beside clients for so many seconds, and compare all that is left with what was promised.

    Args:
        place: an empty storage.
        folder: takes state and log.
        seconds: for how long clients push.
        grace: that of each gc, in seconds.
        seed: of all choices.
        clients: how many push at a time.
    """
    result = Result()
    site = Site(place, folder, "gunicorn")
    try:
        site.start()
        _load(site, result, seconds=seconds, grace=grace, seed=seed, clients=clients)
        for _ in range(2):
            result.collected.update(site.collect(0))
        site.settle()
        audit([site.base], result.ledger, place, result.findings)
        audit_pushed([site.base], result.book, result.findings)
        audit_faces([site.base], result.ledger, result.findings)
        audit_garbage(place, result.book, result.findings)
        site.stop()
    except ServerError as error:
        result.failed.append(str(error))
    finally:
        site.drop()
    return result


def _load(site: Site, result: Result, *, seconds: float, grace: float, seed: int, clients: int) -> None:
    over = threading.Event()
    chance = random.Random(seed)
    pool = [Content(chance.randbytes(chance.choice(_SIZES)), OCTETS) for _ in range(_BLOBS)]

    def watch() -> None:
        while not over.wait(0.1):
            look_pushed(site.base, result.book, result.findings, chance)

    threads = [_Client(number, lambda: site.base, result, pool, grace=grace, seed=seed) for number in range(clients)]
    watcher = threading.Thread(target=watch, daemon=True)
    for thread in (*threads, watcher):
        thread.start()
    try:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            result.collected.update(site.collect(grace))
            result.collected["runs"] += 1
    finally:
        over.set()
        for thread in threads:
            thread.stop()
        for each in (*threads, watcher):
            each.join()


class _Thing(NamedTuple):
    """Something to push, and its tag; with a key where it is a chart."""

    name: str
    bundle: Bundle
    tag: str
    key: Key | None = None
    package: str = ""

    @property
    def items(self) -> list[Item]:
        return [Item(self.name, MANIFESTS, reference) for reference in (self.bundle.digest, self.tag)]


class _Client(Writer):
    def __init__(
        self,
        number: int,
        base: Callable[[], str],
        result: Result,
        pool: Sequence[Content],
        *,
        grace: float,
        seed: int,
    ) -> None:
        super().__init__(number, base, seed=seed)
        self._result = result
        self._pool = pool
        self._grace = grace
        self._there: list[_Thing] = []
        self._gone: list[_Thing] = []
        self._count = 0

    def _act(self) -> Got | None:
        choice = self._chance.random()
        if self._there and (choice < 0.4 or len(self._there) > 20):
            return self._withdraw(self._there.pop(self._chance.randrange(len(self._there))))
        if self._gone and choice < 0.7:
            return self._push(self._gone.pop(self._chance.randrange(len(self._gone))))
        return self._push(self._new_chart() if choice < 0.8 else self._new_artifact())

    def _new_chart(self) -> _Thing:
        self._count += 1
        key = Key("shared", "app", f"1.{self._number}.{self._count}")
        upload = make(key, self._chance, size=self._chance.choice(_SIZES))
        return _Thing(name_of(key), chart(upload, "once"), key.version, key, upload.content.package)

    def _new_artifact(self) -> _Thing:
        """An artifact of its own that has all its blobs in common with those of others."""
        self._count += 1
        config, *layers = self._chance.sample(self._pool, self._chance.randint(2, 4))
        whose = f"{self._number}-{self._count}"
        described = [layer.described() for layer in layers]
        made = manifest(IMAGE, annotations={"whose": whose}, config=config.described(), layers=described)
        return _Thing(self._chance.choice(_NAMES), Bundle(made, (config, *layers)), f"of-{whose}")

    def _push(self, thing: _Thing) -> Got | None:
        """Push, as a whole again for as long as something is not there any more."""
        for item in thing.items:
            self._result.book.begin(item, thing.bundle.digest)
        if thing.key is not None:
            self._result.ledger.begin(thing.key, thing.package)
        asking = self._chance.random() < 0.5
        got = None
        for _ in range(_TRIES):
            began = time.monotonic()
            got = push(self._base(), thing.name, thing.bundle, thing.tag, ask_first=asking)
            took = time.monotonic() - began
            self._result.slowest = max(self._result.slowest, took)
            if not lacks_a_blob(got):
                break
            self._result.again += 1
            if not asking and took < self._grace:
                said = got.text[:200] if got is not None else ""
                self._result.book.strange.append(f"{thing.name}: a push of {took:.2f} s was told {said}")
        self._note(thing, got, done=got is not None and got.status == 201, left=thing.bundle.digest, kind="pushes")
        self._there.append(thing)
        return got

    def _withdraw(self, thing: _Thing) -> Got | None:
        for item in thing.items:
            self._result.book.begin(item)
        if thing.key is not None:
            self._result.ledger.begin(thing.key)
        place = repository(self._base(), thing.name)
        got = answered(lambda: place.delete_manifest(thing.tag if thing.key else thing.bundle.digest))
        self._note(thing, got, done=got is not None and got.status == 202, left=NONE, kind="deletes")
        self._gone.append(thing)
        return got

    def _note(self, thing: _Thing, got: Got | None, *, done: bool, left: str, kind: str) -> None:
        """Write down what became of a push or a deletion; without an answer to it either may be."""
        book, ledger = self._result.book, self._result.ledger
        for item in thing.items:
            if done:
                book.acknowledge(item, left, "tags" if is_tag(item.reference) else kind)
            else:
                book.doubt(item, left)
        content = NOTHING if left == NONE else Packaged(thing.package)
        if thing.key is not None and done:
            ledger.acknowledge(thing.key, content, f"chart {kind}")
        elif thing.key is not None:
            ledger.doubt(thing.key, content)
        if not done and (got is None or got.status not in FOR_NOW):
            book.strange.append(f"{thing.name}: {kind} of {thing.tag} gave {got and (got.status, got.text[:200])}")


def main() -> int:
    """Run the drill from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.drills.collect", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--grace", type=float, default=0)
    parser.add_argument("--storage", choices=["local", "moto", "versitygw"], default="local")
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chartrepo-drill-") as temporary:
        folder = Path(temporary)
        with opened(options.storage, folder) as place:
            result = collect_beside(place, folder, seconds=options.seconds, grace=options.grace, seed=options.seed)
    about = (
        f"{options.storage}, grace {options.grace:g} s, {options.seconds:g} s, {CLIENTS} clients, seed {options.seed}"
    )
    print(table(f"gc beside pushes: {about}", result.rows()))  # noqa: T201 - this is what the command says
    for problem in result.problems[:50]:
        print(f"! {problem}")  # noqa: T201
    return 1 if result.problems else 0


if __name__ == "__main__":
    sys.exit(main())
