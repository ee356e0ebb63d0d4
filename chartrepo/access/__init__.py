"""Who is known, and who may do what."""

from chartrepo.access.directory import ADMIN, Administrator, Directory
from chartrepo.access.guessing import Guesses
from chartrepo.access.htpasswd import Htpasswd
from chartrepo.access.rules import Rules, parse_rules, watch_rules
from chartrepo.access.tokens import Tokens
from chartrepo.access.watched import Watched

__all__ = [
    "ADMIN",
    "Administrator",
    "Directory",
    "Guesses",
    "Htpasswd",
    "Rules",
    "Tokens",
    "Watched",
    "parse_rules",
    "watch_rules",
]
