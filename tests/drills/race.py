"""The race: eight clients write to one version at the same instant, again and again, and all servers have to agree.

    python -m tests.drills.race --rounds 100 --arrangement workers [--s3 versitygw]

Four races take turns. `create`: different bytes of a new version, exactly one of which is acknowledged. `overwrite`:
all with ?force, all of which may be. `create and delete`: acknowledged ones alternate, because each needs the other
before it. `overwrite and delete`: the last one decides. After each race every worker of every server shows the same,
over both protocols.

With `--protocol oci` other races do. `push`, `push and upload`, `push and delete`: as `create` and `create and delete`,
but all, or some, push as Helm does, and half of the deletions are of the tag. `push the same`: one package with a
manifest from each; all have to be acknowledged, and the tag names one of them. What losers had pushed by its digest
stays. `alias`: all move one tag, and it names one of the manifests whose move was acknowledged. `artifacts`: all push
artifacts that have blobs, and parts, in common.

Replicas that share nothing but a bucket may both acknowledge the deletion of one package: S3 answers a DELETE of what
is gone as one that worked. That is counted, and breaks no promise.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from tests.drills.arrangements import ARRANGEMENTS, Servers, prepared
from tests.drills.artifact_rounds import ARTIFACT_RACES, ArtifactRound
from tests.drills.audit import audit
from tests.drills.audit_pushed import audit_faces, audit_pushed
from tests.drills.clients import CLIENTS, ask
from tests.drills.ledger import Key
from tests.drills.rounds import Result
from tests.drills.tables import table
from tests.drills.version_rounds import PUSHES, RACES, VersionRound

OCI_RACES: Final = (*PUSHES, *ARTIFACT_RACES)


def race(servers: Servers, *, rounds: int, seed: int = 1, races: Sequence[str] = RACES) -> Result:
    """Run so many races, of the kinds in turn.

    Args:
        servers: an arrangement without packages.
        rounds: how many, over all kinds.
        seed: of what packages hold; who wins, the machine decides.
        races: the kinds, of `RACES` and `OCI_RACES`.
    """
    result = Result()
    chance = random.Random(seed)
    with ThreadPoolExecutor(CLIENTS) as pool:
        for number in range(rounds):
            kind = races[number % len(races)]
            result.rounds[kind] += 1
            if kind in ARTIFACT_RACES:
                ArtifactRound(servers, result, pool, chance, f"race/{number}/app").run(kind)
            else:
                VersionRound(servers, result, pool, chance, Key(f"race/{number}", "app", "1.0.0")).run(kind)
    _finish(servers, result)
    return result


def _finish(servers: Servers, result: Result) -> None:
    """Judge everything, after the last race."""
    for base in servers.bases:
        ask("POST", f"{base}/api/sync")
    audit(servers.bases, result.ledger, servers.place, result.findings)
    audit_pushed(servers.bases, result.book, result.findings)
    audit_faces(servers.bases, result.ledger, result.findings)


def main() -> int:
    """Run the drill from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.drills.race", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--arrangement", choices=ARRANGEMENTS, default="workers")
    parser.add_argument("--s3", choices=["moto", "versitygw"], default="moto", help="for replicas")
    parser.add_argument("--protocol", choices=["classic", "oci"], default="classic")
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="chartrepo-drill-") as temporary,
        prepared(options.arrangement, options.s3, Path(temporary)) as servers,
    ):
        races = {"classic": RACES, "oci": OCI_RACES}[options.protocol]
        result = race(servers, rounds=options.rounds, seed=options.seed, races=races)
    where = f", {options.s3}" if options.arrangement.startswith("replicas") else ""
    title = f"race: {options.protocol}, {options.arrangement}{where}, {CLIENTS} clients, seed {options.seed}"
    print(table(title, result.rows()))  # noqa: T201
    for problem in result.problems[:50]:
        print(f"! {problem}")  # noqa: T201
    return 1 if result.problems else 0


if __name__ == "__main__":
    sys.exit(main())
