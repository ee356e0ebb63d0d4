"""Who is known, and who may do what."""

from chartrepo.access.directory import ADMIN, Administrator, Directory
from chartrepo.access.guessing import Guesses
from chartrepo.access.htpasswd import Htpasswd
from chartrepo.access.keys import SigningKeys
from chartrepo.access.registry_tokens import PREFIX as REGISTRY_TOKEN_PREFIX
from chartrepo.access.registry_tokens import Issued, Login, RegistryTokens
from chartrepo.access.rules import Rules, parse_rules, watch_rules
from chartrepo.access.tokens import Tokens

__all__ = [
    "ADMIN",
    "REGISTRY_TOKEN_PREFIX",
    "Administrator",
    "Directory",
    "Guesses",
    "Htpasswd",
    "Issued",
    "Login",
    "RegistryTokens",
    "Rules",
    "SigningKeys",
    "Tokens",
    "parse_rules",
    "watch_rules",
]
