"""Who changed what, or tried to: records on their way to the storage, and what is kept of them there."""

from chartrepo.audit.floods import Floods
from chartrepo.audit.journal import Journal, Page
from chartrepo.audit.recording import Audit, Unaudited
from chartrepo.audit.records import MOST, Records
from chartrepo.audit.spool import Spool

__all__ = ["MOST", "Audit", "Floods", "Journal", "Page", "Records", "Spool", "Unaudited"]
