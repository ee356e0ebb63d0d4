"""What all rounds of the race share: what they gave, and how several clients act at the same instant."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from tests.drills.audit import Findings
from tests.drills.ledger import Ledger
from tests.drills.pushes import Pushed
from tests.drills.tables import counted
from tests.support.http import Got


@dataclass
class Result:
    """What the races gave.

    Attributes:
        ledger: what was acknowledged of packages.
        book: what was acknowledged of what was pushed.
        findings: what the audit at the end found.
        rounds: how many races of each kind.
        answers: how many answers of each kind of request and status.
        deleted_twice: deletions that were acknowledged although somebody else's had removed the package.
        winners: rounds in which the acknowledgements contradict each other, each a sentence.
        differing: rounds after which two looks showed different things, or what nobody was promised.
    """

    ledger: Ledger = field(default_factory=Ledger)
    book: Pushed = field(default_factory=Pushed)
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


def at_once(
    pool: ThreadPoolExecutor, bases: Sequence[str], turns: Sequence[Callable[[str], Got | None]]
) -> list[Got | None]:
    """Take all turns at the same instant, each on the next server, and return the answers."""
    start = threading.Barrier(len(turns))

    def shoot(number: int) -> Got | None:
        start.wait()
        return turns[number](bases[number % len(bases)])

    return list(pool.map(shoot, range(len(turns))))
