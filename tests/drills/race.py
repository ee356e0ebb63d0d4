"""The race: eight clients write to one version at the same instant, again and again, and all servers have to agree.

    python -m tests.drills.race --rounds 100 --arrangement workers [--s3 versitygw]

Four races take turns. `create`: different bytes of a new version, exactly one of which is acknowledged. `overwrite`:
all with ?force, all of which may be. `create and delete`: acknowledged ones alternate, because each needs the other
before it. `overwrite and delete`: the last one decides. After each race every worker of every server shows the same.

Replicas that share nothing but a bucket may both acknowledge the deletion of one package: S3 answers a DELETE of what
is gone as one that worked. That is counted, and breaks no promise.
"""

import argparse
import random
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.drills.arrangements import ARRANGEMENTS, Servers, prepared
from tests.drills.audit import Findings, audit, index, package
from tests.drills.clients import CLIENTS, Upload, ask, make, remove, send
from tests.drills.ledger import NOTHING, Content, Key, Ledger, digest
from tests.drills.tables import counted, table
from tests.support.http import Got

RACES: Final = ("create", "overwrite", "create and delete", "overwrite and delete")
_LOOKS: Final = 4
"""Requests at once to one server, so that several of its workers answer."""


@dataclass
class Result:
    """What the races gave.

    Attributes:
        ledger: what was acknowledged.
        findings: what the audit at the end found.
        rounds: how many races of each kind.
        answers: how many answers of each kind of request and status.
        deleted_twice: deletions that were acknowledged although somebody else's had removed the package.
        winners: rounds in which the acknowledgements contradict each other, each a sentence.
        differing: rounds after which two looks showed different things, or what nobody was promised.
    """

    ledger: Ledger = field(default_factory=Ledger)
    findings: Findings = field(default_factory=Findings)
    rounds: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    deleted_twice: int = 0
    winners: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """Every broken promise, as sentences."""
        return [*self.winners, *self.differing, *self.findings.broken, *self.ledger.strange]

    def rows(self) -> dict[str, object]:
        """The counts, for people."""
        return {
            "rounds": counted(self.rounds),
            "answers": counted(self.answers),
            "deletions acknowledged twice": self.deleted_twice,
            "rounds with contradicting winners": len(self.winners),
            "rounds with differing looks": len(self.differing),
            "lost at the end": len(self.findings.lost),
            "half": len(self.findings.half),
            "wrong bytes": len(self.findings.wrong_bytes),
            "index entries without package": len(self.findings.entries_without_package),
            "packages not in the index": len(self.findings.unlisted),
            "leftovers": len(self.findings.leftovers),
        }


def race(servers: Servers, *, rounds: int, seed: int = 1, races: Sequence[str] = RACES) -> Result:
    """Run so many races, of the kinds in turn.

    Args:
        servers: an arrangement without packages.
        rounds: how many, over all kinds.
        seed: of what packages hold; who wins, the machine decides.
        races: the kinds, of `RACES`.
    """
    result = Result()
    chance = random.Random(seed)
    with ThreadPoolExecutor(CLIENTS) as pool:
        for number in range(rounds):
            kind = races[number % len(races)]
            result.rounds[kind] += 1
            _Round(servers, result, pool, chance, Key(f"race/{number}", "app", "1.0.0")).run(kind)
    for base in servers.bases:
        ask("POST", f"{base}/api/sync")
    audit(servers.bases, result.ledger, servers.place, result.findings)
    return result


class _Round:
    def __init__(
        self, servers: Servers, result: Result, pool: ThreadPoolExecutor, chance: random.Random, key: Key
    ) -> None:
        self._servers = servers
        self._result = result
        self._pool = pool
        self._chance = chance
        self._key = key

    def run(self, kind: str) -> None:
        deletes = CLIENTS // 2 if kind.endswith("delete") else 0
        force = kind.startswith("overwrite")
        signed = self._chance.random() < 0.5
        uploads = [make(self._key, self._chance, signed=signed) for _ in range(CLIENTS - deletes)]
        self._result.ledger.begin(self._key, *(upload.content.package for upload in uploads))
        before = self._before() if force else NOTHING
        created, deleted = self._shoot(uploads, deletes, force=force)
        if kind == "create" and len(created) != 1:
            self._contradiction(kind, f"{len(created)} uploads were acknowledged")
        twice = 0 if force else max(0, deleted - len(created))
        self._result.deleted_twice += twice
        if deletes and not force and (len(created) - deleted > 1 or (twice and self._servers.one_catalog)):
            self._contradiction(kind, f"{len(created)} uploads and {deleted} deletions were acknowledged")
        alternating = not force and self._servers.one_catalog
        allowed = _allowed(before, [upload.content for upload in created], deleted, alternating=alternating)
        self._result.ledger.decide(self._key, allowed)
        self._compare(kind, allowed)

    def _before(self) -> Content:
        """Publish what is to be overwritten."""
        first = make(self._key, self._chance)
        self._result.ledger.begin(self._key, first.content.package)
        got = send(self._servers.bases[0], first)
        if got is None or got.status != 201:
            self._contradiction("overwrite", f"the first upload was answered with {got}")
        return first.content

    def _shoot(self, uploads: Sequence[Upload], deletes: int, *, force: bool) -> tuple[list[Upload], int]:
        """Send all requests at once; return the uploads that were acknowledged, and how many deletions."""
        start = threading.Barrier(CLIENTS)
        turns: list[Callable[[str], Got | None]] = [
            *(lambda base, upload=upload: send(base, upload, force=force) for upload in uploads),
            *(lambda base: remove(base, self._key) for _ in range(deletes)),
        ]

        def shoot(number: int) -> Got | None:
            base = self._servers.bases[number % len(self._servers.bases)]
            start.wait()
            return turns[number](base)

        answers = list(self._pool.map(shoot, range(CLIENTS)))
        for number, got in enumerate(answers):
            method = "PUT" if number < len(uploads) else "DELETE"
            self._result.answers[f"{method} {got.status if got else 'unanswered'}"] += 1
            # Two replicas that keep overwriting each other may tell one of their clients to come again.
            patient = force and not self._servers.one_catalog and got is not None and got.status == 503
            if got is None or (got.status >= 500 and not patient):
                self._result.ledger.strange.append(f"{self._key.path}: {method} gave {got and got.text}")
        statuses = [got.status if got else 0 for got in answers]
        created = [upload for upload, status in zip(uploads, statuses, strict=False) if status == 201]
        return created, statuses[len(uploads) :].count(200)

    def _compare(self, kind: str, allowed: set[Content]) -> None:
        """Look at every server through several workers: all show one content, and it is an allowed one."""
        looks = [self._look_at_index, self._look_at_package]
        if not self._servers.one_catalog:
            looks.reverse()  # whoever is asked for the package looks at the storage, and knows it from then on
        seen = {
            shown
            for look in looks
            for base in self._servers.bases
            for shown in self._pool.map(lambda _, look=look, base=base: look(base), range(_LOOKS))
        }
        if len(seen) != 1 or not seen <= {content.package for content in allowed}:
            short = sorted(one[:12] or "nothing" for one in seen)
            self._result.differing.append(f"{self._key.path}: after {kind}, {short} were seen")

    def _look_at_index(self, base: str) -> str:
        shown = index(base, self._key.repository)
        return "no index" if shown is None else shown.get((self._key.name, self._key.version), "")

    def _look_at_package(self, base: str) -> str:
        got = package(base, self._key)
        if got is None:
            return "no answer"
        return digest(got.body) if got.status == 200 else ""

    def _contradiction(self, kind: str, said: str) -> None:
        self._result.winners.append(f"{self._key.path}: {kind}: {said}")


def _allowed(before: Content, created: Sequence[Content], deleted: int, *, alternating: bool) -> set[Content]:
    """What may be left after a race in which these were acknowledged, in an order that nobody knows."""
    if not created and not deleted:
        return {before}
    if alternating:  # each creation but the last was followed by a deletion
        return set(created) if len(created) > deleted else {NOTHING}
    return {*created, NOTHING} if deleted else set(created)


def main() -> int:
    """Run the drill from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.drills.race", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--arrangement", choices=ARRANGEMENTS, default="workers")
    parser.add_argument("--s3", choices=["moto", "versitygw"], default="moto", help="for replicas")
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="chartrepo-drill-") as temporary,
        prepared(options.arrangement, options.s3, Path(temporary)) as servers,
    ):
        result = race(servers, rounds=options.rounds, seed=options.seed)
    where = f", {options.s3}" if options.arrangement.startswith("replicas") else ""
    print(table(f"race: {options.arrangement}{where}, {CLIENTS} clients, seed {options.seed}", result.rows()))  # noqa: T201
    for problem in result.problems[:50]:
        print(f"! {problem}")  # noqa: T201
    return 1 if result.problems else 0


if __name__ == "__main__":
    sys.exit(main())
