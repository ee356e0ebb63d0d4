"""The kill loop: eight clients write without pause, and a worker, or the whole server, is killed at any moment.

    python -m tests.drills.kill --kills 100 --storage local|moto|versitygw [--server gunicorn|granian]

The exit status is 0 where nothing that was acknowledged is lost, nothing is half there, and every start found its own
way. What lies under the keys of requests that got no answer may be either state; see `tests.drills.ledger`.

With `--pushers 8` so many clients push, as `tests.drills.pushers` says: charts, tags, artifacts, pieces of blobs.
At the end two runs of `chartrepo gc --grace 0` leave exactly what is reachable.
"""

import argparse
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.drills.audit import Findings, audit, look
from tests.drills.audit_pushed import audit_faces, audit_garbage, audit_pushed, look_pushed
from tests.drills.clients import CLIENTS, Client, Writer
from tests.drills.ledger import Ledger
from tests.drills.places import Place, opened
from tests.drills.pushers import Pusher
from tests.drills.pushes import MANIFESTS, Pushed
from tests.drills.sites import Site
from tests.drills.tables import counted, table
from tests.support.processes import ServerError

_SAMPLE: Final = 60
"""Items that are looked at right after each start."""
_LIVES: Final = (0.05, 1.5)
"""The least and the most seconds between a server's being ready and the next kill."""


@dataclass
class Result:
    """What a kill loop did and found.

    Attributes:
        ledger: what was acknowledged of packages.
        book: what was acknowledged of what was pushed.
        findings: what of that does not hold.
        killed: how many workers, and how many whole servers.
        starts: seconds that each start took until it was ready.
        failed: starts that did not come to be ready by themselves, with what they printed.
        checked: what `chartrepo check` said at the end, if it did not agree.
    """

    ledger: Ledger = field(default_factory=Ledger)
    book: Pushed = field(default_factory=Pushed)
    findings: Findings = field(default_factory=Findings)
    killed: dict[str, int] = field(default_factory=lambda: {"workers": 0, "servers": 0})
    starts: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    checked: str = ""

    @property
    def problems(self) -> list[str]:
        """Every broken promise, as sentences."""
        checked = [f"chartrepo check: {self.checked}"] if self.checked else []
        return [*self.findings.broken, *self.ledger.strange, *self.book.strange, *self.failed, *checked]

    def rows(self) -> dict[str, object]:
        """The counts, for people."""
        return {
            "kills": counted(self.killed),
            "acknowledged": counted(self.ledger.acknowledged),
            "acknowledged of OCI": counted(self.book.acknowledged),
            "without an answer": self.ledger.doubtful + self.book.doubtful,
            "looks under load": self.findings.looks,
            "lost": len(self.findings.lost),
            "half": len(self.findings.half),
            "wrong bytes": len(self.findings.wrong_bytes),
            "index entries without package": len(self.findings.entries_without_package),
            "packages not in the index": len(self.findings.unlisted),
            "garbage after gc": len(self.findings.garbage),
            "wrong answers": len(self.ledger.strange) + len(self.book.strange),
            "leftovers (nobody is shown them)": len(self.findings.leftovers),
            "starts, slowest in s": f"{len(self.starts)}, {max(self.starts, default=0):.1f}",
            "starts that needed a hand": len(self.failed),
            "chartrepo check": self.checked or "agrees",
        }


def kill_loop(
    place: Place,
    folder: Path,
    *,
    kills: int,
    server: str = "gunicorn",
    seed: int = 1,
    clients: int = CLIENTS,
    pushers: int = 0,
) -> Result:
    """Kill a server again and again under load, and compare all it shows with what it promised.

    Args:
        place: an empty storage.
        folder: takes state and log.
        kills: how many; the first is of a worker, the next of the whole server, and so on.
        server: gunicorn or granian.
        seed: of all choices; when a kill meets the server, the machine decides.
        clients: how many write at a time.
        pushers: how many of these push; the others upload.
    """
    result = Result()
    chance = random.Random(seed)
    site = Site(place, folder, server)
    result.killed, result.starts = site.killed, site.starts
    try:
        site.start()
        with _under_load(site.base, result, seed=seed, uploaders=clients - pushers, pushers=pushers):
            for number in range(kills):
                time.sleep(chance.uniform(*_LIVES))
                if number % 2:
                    site.kill_all()
                    site.start()
                    look_pushed(site.base, result.book, result.findings, chance, sample=_SAMPLE)
                else:
                    site.kill_worker(chance)
            time.sleep(_LIVES[1])
        # What the last killed one left between storage and catalog, a sync puts right; it was asked for.
        site.settle()
        audit([site.base], result.ledger, place, result.findings)
        audit_pushed([site.base], result.book, result.findings)
        audit_faces([site.base], result.ledger, result.findings)
        if pushers:
            _collect(site, place, result)
        site.stop()
    except ServerError as error:
        result.failed.append(str(error))
    finally:
        site.drop()
    result.checked = site.check()
    return result


def _collect(site: Site, place: Place, result: Result) -> None:
    """Collect garbage, and see that all is there but what is dead."""
    for _ in range(2):
        site.collect(0)
    audit([site.base], result.ledger, place, result.findings)
    audit_pushed([site.base], result.book, result.findings, kinds=[MANIFESTS])
    audit_faces([site.base], result.ledger, result.findings)
    audit_garbage(place, result.book, result.findings)


@contextmanager
def _under_load(base: str, result: Result, *, seed: int, uploaders: int, pushers: int) -> Iterator[None]:
    """Let clients write, and somebody look, until the end of the block."""
    over = threading.Event()

    def watch() -> None:
        chance = random.Random(seed)
        while not over.wait(0.2):
            look(base, result.ledger, result.findings, chance)
            look_pushed(base, result.book, result.findings, chance)

    threads: list[Writer] = [
        *(Client(number, lambda: base, result.ledger, seed=seed) for number in range(uploaders)),
        *(Pusher(number, lambda: base, result.ledger, result.book, seed=seed) for number in range(pushers)),
    ]
    watcher = threading.Thread(target=watch, daemon=True)
    for thread in (*threads, watcher):
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.stop()
        for each in (*threads, watcher):
            each.join()


def main() -> int:
    """Run the drill from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.drills.kill", description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--storage", choices=["local", "moto", "versitygw"], default="local")
    parser.add_argument("--server", choices=["gunicorn", "granian"], default="gunicorn")
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    parser.add_argument("--pushers", type=int, default=0, help=f"how many of the {CLIENTS} clients push")
    parser.add_argument("--keep", type=Path, help="an empty folder for all files, which then stay")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chartrepo-drill-") as temporary:
        folder = options.keep or Path(temporary)
        with opened(options.storage, folder) as place:
            result = kill_loop(
                place,
                folder,
                kills=options.kills,
                server=options.server,
                seed=options.seed,
                pushers=options.pushers,
            )
    clients = f"{CLIENTS} clients, {options.pushers} of which push"
    title = f"kill loop: {options.storage}, {options.server}, {clients}, seed {options.seed}"
    print(table(title, result.rows()))  # noqa: T201 - this is what the command says
    for problem in result.problems[:50]:
        print(f"! {problem}")  # noqa: T201
    return 1 if result.problems else 0


if __name__ == "__main__":
    sys.exit(main())
