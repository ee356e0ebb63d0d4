"""Rounds of the race for one version: by uploads, by pushes, and against deletions."""

import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, NamedTuple

from tests.drills.arrangements import Servers
from tests.drills.audit import index, package
from tests.drills.clients import CLIENTS, Upload, make, remove, send
from tests.drills.ledger import NOTHING, Content, Key, digest
from tests.drills.pushes import MADE, MANIFESTS, NONE, Item, answered, chart, name_of, pull, push, repository
from tests.drills.rounds import Result, at_once
from tests.support.http import Got
from tests.support.oci_contents import Bundle

RACES: Final = ("create", "overwrite", "create and delete", "overwrite and delete")
PUSHES: Final = ("push", "push and upload", "push the same", "push and delete")
_LOOKS: Final = 4
"""Requests at once to one server, so that several of its workers answer."""
_TRIES: Final = 40
_PAUSE: Final = 0.01


class Attempt(NamedTuple):
    """One client's way to a version: an upload, or a push where there is a bundle."""

    upload: Upload
    bundle: Bundle | None = None


class VersionRound:
    """A race for the version `key`."""

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
        attempts = self._attempts(kind, CLIENTS - deletes)
        self._result.ledger.begin(self._key, *(each.upload.content.package for each in attempts))
        before = self._before() if force else NOTHING
        created, deleted = self._shoot(attempts, deletes, force=force, tags=kind.startswith("push"))
        self._check_winners(kind, created, deleted)
        alternating = kind != "push and delete" and not force and self._servers.one_catalog
        allowed = _allowed(before, [each.upload.content for each in created], deleted, alternating=alternating)
        self._result.ledger.decide(self._key, allowed)
        self._compare(kind, allowed, created)

    def _attempts(self, kind: str, count: int) -> list[Attempt]:
        signed = self._chance.random() < 0.5
        uploads = [make(self._key, self._chance, signed=signed) for _ in range(count)]
        if kind == "push the same":
            uploads = uploads[:1] * count
        pushing = {"push and upload": range(0, count, 3)}.get(kind, range(count) if kind.startswith("push") else ())
        return [
            Attempt(upload, chart(upload, f"moment {number}") if number in pushing else None)
            for number, upload in enumerate(uploads)
        ]

    def _check_winners(self, kind: str, created: Sequence[Attempt], deleted: int) -> None:
        if kind in {"create", "push", "push and upload"} and len(created) != 1:
            self._contradiction(kind, f"{len(created)} uploads were acknowledged")
        if kind == "push the same" and len(created) != CLIENTS:
            self._contradiction(kind, f"only {len(created)} of {CLIENTS} pushes were acknowledged")
        if kind not in {"create and delete", "push and delete"}:
            return
        # Who deletes a tag is told that it is gone, also where somebody else was faster.
        twice = max(0, deleted - len(created))
        self._result.deleted_twice += twice
        blamed = twice and self._servers.one_catalog and kind == "create and delete"
        if len(created) - deleted > 1 or blamed:
            self._contradiction(kind, f"{len(created)} uploads and {deleted} deletions were acknowledged")

    def _before(self) -> Content:
        """Publish what is to be overwritten."""
        first = make(self._key, self._chance)
        self._result.ledger.begin(self._key, first.content.package)
        got = send(self._servers.bases[0], first)
        if got is None or got.status != 201:
            self._contradiction("overwrite", f"the first upload was answered with {got}")
        return first.content

    def _shoot(
        self, attempts: Sequence[Attempt], deletes: int, *, force: bool, tags: bool
    ) -> tuple[list[Attempt], int]:
        """Send all requests at once; return the attempts that were acknowledged, and how many deletions.

        Args:
            attempts: to create the version.
            deletes: how many deletions.
            force: whether to overwrite.
            tags: whether every other deletion is of the tag.
        """
        delete = self._delete_in_time if tags else self._delete
        turns: list[Callable[[str], Got | None]] = [
            *(partial(self._create, each, force=force) for each in attempts),
            *(partial(delete, tag=tags and number % 4 < 2) for number in range(deletes)),
        ]
        answers = at_once(self._pool, self._servers.bases, turns)
        kinds = [*("push" if each.bundle else "PUT" for each in attempts), *(["DELETE"] * deletes)]
        for kind, got in zip(kinds, answers, strict=True):
            self._result.answers[f"{kind} {got.status if got else 'unanswered'}"] += 1
            # Two replicas that keep overwriting each other may tell one of their clients to come again.
            patient = force and not self._servers.one_catalog and got is not None and got.status == 503
            if got is None or got.status == 400 or (got.status >= 500 and not patient):
                self._result.ledger.strange.append(f"{self._key.path}: {kind} gave {got and got.text}")
        statuses = [got.status if got else 0 for got in answers]
        created = [each for each, status in zip(attempts, statuses, strict=False) if status == 201]
        self._note_manifests(attempts, statuses, deletes)
        return created, sum(status in {200, 202} for status in statuses[len(attempts) :])

    def _create(self, attempt: Attempt, base: str, *, force: bool) -> Got | None:
        if attempt.bundle is None:
            return send(base, attempt.upload, force=force)
        return push(base, name_of(self._key), attempt.bundle, self._key.version)

    def _delete(self, base: str, *, tag: bool) -> Got | None:
        if not tag:
            return remove(base, self._key)
        place = repository(base, name_of(self._key))
        return answered(lambda: place.delete_manifest(self._key.version))

    def _delete_in_time(self, base: str, *, tag: bool) -> Got | None:
        """Delete as soon as there is something: a push takes several requests."""
        for _ in range(_TRIES):
            got = self._delete(base, tag=tag)
            if got is None or got.status != 404:
                return got
            time.sleep(_PAUSE)
        return got

    def _note_manifests(self, attempts: Sequence[Attempt], statuses: Sequence[int], deletes: int) -> None:
        """Note what was promised of manifests under their digests: those of who lost the tag stay."""
        for attempt, status in zip(attempts, statuses, strict=False):
            if attempt.bundle is not None and status in {201, 409}:
                item = Item(name_of(self._key), MANIFESTS, attempt.bundle.digest)
                gone = deletes and status == 201
                self._result.book.begin(item, attempt.bundle.digest)
                self._result.book.decide(item, {attempt.bundle.digest, *([NONE] if gone else [])})

    def _compare(self, kind: str, allowed: set[Content], created: Sequence[Attempt]) -> None:
        """Look at every server through several workers: all show one content, and it is an allowed one."""
        looks = [self._look_at_index, self._look_at_package, self._look_at_tag]
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
        self._decide_tag([each for each in created if each.upload.content.package in seen], seen)

    def _decide_tag(self, winners: Sequence[Attempt], seen: set[str]) -> None:
        """Say what the tag may name: a manifest that was acknowledged with the package that is there."""
        item = Item(name_of(self._key), MANIFESTS, self._key.version)
        pushed = [each.bundle.digest for each in winners if each.bundle is not None]
        self._result.book.begin(item, *pushed)
        self._result.book.decide(item, pushed or [NONE if seen == {""} else MADE])

    def _look_at_index(self, base: str) -> str:
        shown = index(base, self._key.repository)
        return "no index" if shown is None else shown.get((self._key.name, self._key.version), "")

    def _look_at_package(self, base: str) -> str:
        got = package(base, self._key)
        if got is None:
            return "no answer"
        return digest(got.body) if got.status == 200 else ""

    def _look_at_tag(self, base: str) -> str:
        pulled = pull([base], name_of(self._key), self._key.version)
        if pulled is None:
            return "no answer"
        return "; ".join(pulled.faults) or pulled.chart

    def _contradiction(self, kind: str, said: str) -> None:
        self._result.winners.append(f"{self._key.path}: {kind}: {said}")


def _allowed(before: Content, created: Sequence[Content], deleted: int, *, alternating: bool) -> set[Content]:
    """What may be left after a race in which these were acknowledged, in an order that nobody knows."""
    if not created and not deleted:
        return {before}
    if alternating:  # each creation but the last was followed by a deletion
        return set(created) if len(created) > deleted else {NOTHING}
    return {*created, NOTHING} if deleted else set(created)
