"""Who is known, and who may do what."""

from chartrepo.access.certificate import Certificate, as_files, watch_certificate
from chartrepo.access.directory import ADMIN, Administrator, Directory
from chartrepo.access.guessing import Guesses
from chartrepo.access.htpasswd import Htpasswd
from chartrepo.access.keys import SigningKeys
from chartrepo.access.registry_tokens import PREFIX as REGISTRY_TOKEN_PREFIX
from chartrepo.access.registry_tokens import Issued, Login, RegistryTokens
from chartrepo.access.rules import Rules, parse_rules, watch_rules
from chartrepo.access.tokens import Tokens
from chartrepo.access.watched import Watched

__all__ = [
    "ADMIN",
    "REGISTRY_TOKEN_PREFIX",
    "Administrator",
    "Certificate",
    "Directory",
    "Guesses",
    "Htpasswd",
    "Issued",
    "Login",
    "RegistryTokens",
    "Rules",
    "SigningKeys",
    "Tokens",
    "Watched",
    "as_files",
    "parse_rules",
    "watch_certificate",
    "watch_rules",
]
