"""How often packages are pulled: counted by workers, kept in the storage, shown from the local disk."""

from chartrepo.pulls.counting import Counting, Uncounted
from chartrepo.pulls.gathering import Gathering
from chartrepo.pulls.ledger import Ledger

__all__ = ["Counting", "Gathering", "Ledger", "Uncounted"]
