"""Who is known, and who may do what."""

from chartrepo.access import own_tokens
from chartrepo.access.certificate import Certificate, as_files, watch_certificate
from chartrepo.access.chartmuseum import BearerAuth, ChartMuseumTokens
from chartrepo.access.directory import ADMIN, Administrator, Directory, Shown
from chartrepo.access.ended_sessions import EndedSessions
from chartrepo.access.guessing import Guesses, network
from chartrepo.access.htpasswd import Htpasswd
from chartrepo.access.identity_tokens import looks_like_one
from chartrepo.access.issuer_sign_in import IssuerSignIn
from chartrepo.access.issuers import Issuer
from chartrepo.access.keys import SigningKeys
from chartrepo.access.registry_tokens import PREFIX as REGISTRY_TOKEN_PREFIX
from chartrepo.access.registry_tokens import Issued, Login, RegistryTokens
from chartrepo.access.rules import Rules, parse_rules, watch_rules
from chartrepo.access.sessions import Session, Sessions
from chartrepo.access.tokens import Tokens

__all__ = [
    "ADMIN",
    "REGISTRY_TOKEN_PREFIX",
    "Administrator",
    "BearerAuth",
    "Certificate",
    "ChartMuseumTokens",
    "Directory",
    "EndedSessions",
    "Guesses",
    "Htpasswd",
    "Issued",
    "Issuer",
    "IssuerSignIn",
    "Login",
    "RegistryTokens",
    "Rules",
    "Session",
    "Sessions",
    "Shown",
    "SigningKeys",
    "Tokens",
    "as_files",
    "looks_like_one",
    "network",
    "own_tokens",
    "parse_rules",
    "watch_certificate",
    "watch_rules",
]
