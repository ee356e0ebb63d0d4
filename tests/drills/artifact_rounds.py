"""Rounds of the race for what is no version: tags that are moved, and artifacts that have blobs in common."""

import random
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

from tests.drills.arrangements import Servers
from tests.drills.clients import CLIENTS
from tests.drills.pushes import MANIFESTS, Item, pull, push, put_manifest
from tests.drills.rounds import Result, at_once
from tests.support.http import Got
from tests.support.oci_contents import REPORT, Bundle, Content, artifact, index

ARTIFACT_RACES: Final = ("alias", "artifacts")
_LOOKS: Final = 4
_TAG: Final = "stable"


class ArtifactRound:
    """A race in the OCI repository `name`."""

    def __init__(
        self, servers: Servers, result: Result, pool: ThreadPoolExecutor, chance: random.Random, name: str
    ) -> None:
        self._servers = servers
        self._result = result
        self._pool = pool
        self._chance = chance
        self._name = name

    def run(self, kind: str) -> None:
        if kind == "alias":
            self._move_alias()
        else:
            self._push_at_once()

    def _move_alias(self) -> None:
        bundles = [artifact(layer=self._blob(), annotations={"number": str(each)}) for each in range(CLIENTS)]
        for bundle in bundles:
            self._expect(bundle, push(self._servers.bases[0], self._name, bundle))
        turns = [partial(self._move, bundle) for bundle in bundles]
        answers = at_once(self._pool, self._servers.bases, turns)
        for bundle, got in zip(bundles, answers, strict=True):
            self._result.answers[f"move {got.status if got else 'unanswered'}"] += 1
            self._expect(bundle, got)
        self._compare({each.digest for each in bundles})

    def _push_at_once(self) -> None:
        """Each pushes an index of its own over a part of its own and one that all have, which share a blob."""
        layer = self._blob()
        common = artifact(layer=layer)
        bundles = [
            index(common, artifact(layer=layer, annotations={"number": str(each)}), annotations={"number": str(each)})
            for each in range(CLIENTS)
        ]
        turns = [partial(self._push, bundle) for bundle in bundles]
        answers = at_once(self._pool, self._servers.bases, turns)
        for bundle, got in zip(bundles, answers, strict=True):
            self._result.answers[f"artifact {got.status if got else 'unanswered'}"] += 1
            self._expect(bundle, got)
        self._compare({each.digest for each in bundles})

    def _move(self, bundle: Bundle, base: str) -> Got | None:
        return put_manifest(base, self._name, bundle.manifest, _TAG)

    def _push(self, bundle: Bundle, base: str) -> Got | None:
        return push(base, self._name, bundle, _TAG)

    def _blob(self) -> Content:
        return Content(self._chance.randbytes(self._chance.choice((10, 5_000, 600_000))), REPORT)

    def _expect(self, bundle: Bundle, got: Got | None) -> None:
        """Note a push that nothing can be wrong with."""
        if got is None or got.status != 201:
            self._result.winners.append(f"{self._name}: {got and got.text} was the answer to a push")
            return
        for manifest in bundle.all_manifests():
            item = Item(self._name, MANIFESTS, manifest.digest)
            self._result.book.begin(item, manifest.digest)
            self._result.book.decide(item, {manifest.digest})

    def _compare(self, allowed: set[str]) -> None:
        seen = {
            shown
            for base in self._servers.bases
            for shown in self._pool.map(lambda _, base=base: self._look(base), range(_LOOKS))
        }
        if len(seen) != 1 or not seen <= allowed:
            self._result.differing.append(f"{self._name}: the tag {_TAG} shows {sorted(seen)}")
        item = Item(self._name, MANIFESTS, _TAG)
        self._result.book.begin(item, *allowed)
        self._result.book.decide(item, seen & allowed)

    def _look(self, base: str) -> str:
        pulled = pull([base], self._name, _TAG)
        if pulled is None:
            return "no answer"
        return "; ".join(pulled.faults) or pulled.digest
