"""The table `issuers:` in the file of rules: whose tokens say who somebody is, and where the keys of each are.

What nearly everybody writes is the default: `github: {audience: https://charts.example.com}` is all there is to say of
GitHub. The audience is never one: without it any token that somebody got for another service would be good here.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from chartrepo import kinds
from chartrepo.core.errors import AccessMisconfigured
from chartrepo.core.messages import shown
from chartrepo.core.permissions import is_issuer_name
from chartrepo.core.workloads import GITHUB, GITLAB, KINDS, KUBERNETES

MAX_ISSUERS: Final = 100

_PUBLIC: Final = {GITHUB: "https://token.actions.githubusercontent.com", GITLAB: "https://gitlab.com"}
"""The default of `url`. Anybody can have a token of these."""
_CLUSTER: Final = "https://kubernetes.default.svc"
_CLUSTER_ISSUER: Final = "https://kubernetes.default.svc.cluster.local"
"""What kubeadm lets a cluster call itself."""
_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where every pod finds what it needs to ask its cluster."""
_TEXTS: Final = ("kind", "url", "issuer", "user", "groups", "jwks_file", "ca_file", "token_file")
_FIELDS: Final = frozenset({*_TEXTS, "audience", "authenticated", "sign_in"})
_CLIENT_FIELDS: Final = frozenset({"client_id", "client_secret_file", "scopes"})
_SCOPES: Final = ("openid", "profile", "email")
_MAX_SCOPES: Final = 20
_SCOPE: Final = re.compile(r"[!#-\[\]-~]{1,200}")
"""RFC 6749, section 3.3."""


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where the keys of an issuer are.

    Attributes:
        issuer: what its tokens have under `iss`, and its discovery document under `issuer`.
        url: below which that document is; empty where there is a file.
        ca_file: the certificates by which the server there is known; None for those of the system.
        token_file: what to show it as Bearer; None for nothing.
        jwks_file: has the keys; None where they are asked for.
    """

    issuer: str
    url: str = ""
    ca_file: Path | None = None
    token_file: Path | None = None
    jwks_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """What this server is to an issuer with which people sign in to the pages.

    Attributes:
        id: that the issuer gave it, which is the audience of the tokens it gets.
        secret_file: has the secret that goes with the id; None for a public client.
        scopes: that are asked for.
    """

    id: str
    secret_file: Path | None
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Issuer:
    """Somebody whose tokens are believed.

    Attributes:
        name: by which rules know it.
        kind: one of `KINDS`, or empty.
        audience: of which a token has to name one.
        source: of its keys.
        user: the claim that says who a caller is, where it is of no kind.
        groups: the claim that says in which groups; empty for none.
        authenticated: whether rules for `authenticated` are for its callers.
        sign_in: how people sign in with it; None where they do not.
    """

    name: str
    kind: str
    audience: tuple[str, ...]
    source: KeySource
    user: str = "sub"
    groups: str = ""
    authenticated: bool = False
    sign_in: Client | None = None

    @property
    def fingerprint(self) -> str:
        """What is another where a token of before might not hold any more."""
        said = (self.name, self.kind, self.source.issuer, *self.audience)
        if self.sign_in is not None:
            said = (*said, "", self.sign_in.id)
        return sha256("\n".join(said).encode("utf-8", "surrogatepass")).hexdigest()


def parse_issuers(value: object, folder: Path) -> dict[str, Issuer]:
    """Read what stands under `issuers:`, and return the issuers by their names.

    Args:
        value: as YAML gives it.
        folder: that paths in it start from.

    Raises:
        AccessMisconfigured: it is none; the problems are all that is wrong.
    """
    if not isinstance(value, dict) or len(value) > MAX_ISSUERS:
        raise AccessMisconfigured(
            f"issuers: write up to {MAX_ISSUERS} issuers by name, as github: {{audience: https://charts.example.com}}"
        )
    problems: list[str] = []
    found: dict[str, Issuer] = {}
    for name, given in value.items():
        wrong = list(_problems(name, given))
        problems += (f"issuers, {shown(str(name))}: {problem}" for problem in wrong)
        if not wrong:
            found[name] = _issuer(name, given, folder)
    names: dict[str, str] = {}
    for issuer in found.values():
        first = names.setdefault(issuer.source.issuer, issuer.name)
        if first != issuer.name:
            said = f"issuers, {shown(issuer.name)}: {first} is {shown(issuer.source.issuer)} already"
            problems.append(f"{said}: keep one of them, and give it a list of audiences")
    if problems:
        raise AccessMisconfigured(*problems)
    return found


def _problems(name: object, given: object) -> Iterator[str]:
    if not isinstance(name, str) or not is_issuer_name(name):
        yield "no issuer can be called so: write up to 32 of a-z, 0-9 and '-', a letter first, and no kind of caller"
        return
    if not isinstance(given, dict):
        yield "is no mapping: write {audience: ...}, and url or jwks_file where it is no usual one"
        return
    for field in given:
        if field not in _FIELDS:
            yield f"there is no field {shown(str(field))}: write {', '.join(sorted(_FIELDS))}"
    for field in _TEXTS:
        text = given.get(field, "-")
        if not isinstance(text, str) or not text or not text.isprintable():
            yield f"{field}: {shown(str(text))} is no text"
            return
    audience = _audience(given)
    if not audience or not all(isinstance(each, str) and each for each in audience):
        yield "audience: write the audience that its tokens have to be for, or a list of several"
    if not isinstance(given.get("authenticated", False), bool):
        yield "authenticated: write true or false"
    yield from _problems_of_source(name, given)
    if "sign_in" in given:
        yield from _problems_of_sign_in(name, given)


def _problems_of_sign_in(name: str, given: Mapping[str, Any]) -> Iterator[str]:
    said = given["sign_in"]
    if not isinstance(said, dict):
        yield "sign_in: is no mapping: write {client_id: ..., client_secret_file: ...}"
        return
    for field in said:
        if field not in _CLIENT_FIELDS:
            yield f"sign_in: there is no field {shown(str(field))}: write {', '.join(sorted(_CLIENT_FIELDS))}"
    for field in ("client_id", "client_secret_file"):
        text = said.get(field, "" if field == "client_id" else "-")
        if not isinstance(text, str) or not text or not text.isprintable():
            yield f"sign_in: {field}: {shown(str(text))} is no text"
    scopes = said.get("scopes", list(_SCOPES))
    if not isinstance(scopes, list) or not all(isinstance(each, str) and _SCOPE.fullmatch(each) for each in scopes):
        yield f"sign_in: scopes: write a list, as [{', '.join(_SCOPES)}]"
    elif "openid" not in scopes or len(scopes) > _MAX_SCOPES:
        yield f"sign_in: scopes: openid has to be among them, and {_MAX_SCOPES} are the most"
    if given.get("kind", name if name in KINDS else ""):
        yield "sign_in: this issuer is of a kind that makes workloads known: write another for people, without a kind"
    if "jwks_file" in given:
        yield "sign_in: where to sign in is asked for below url: write that in place of jwks_file"


def _problems_of_source(name: str, given: Mapping[str, Any]) -> Iterator[str]:
    kind, url = given.get("kind", name if name in KINDS else ""), _url(name, given)
    if kind not in ("", *KINDS) or (name in KINDS and kind != name):
        yield f"kind: {shown(kind)} is none, or not that of the name: write {', '.join(KINDS)}, or leave it out"
    if "jwks_file" in given:
        if "issuer" not in given and not url:
            yield "issuer: write what its tokens have under iss"
        for field in ("ca_file", "token_file"):
            if field in given:
                yield f"{field}: does nothing beside jwks_file, as nobody is asked for keys"
    elif not url:
        yield "url: write where its keys are: the address below which /.well-known/openid-configuration is"
    if url and "jwks_file" not in given:
        yield from _problems_of_url(url)
    if kind and ("user" in given or "groups" in given):
        yield f"user and groups: callers of kind {kind} have names of their own: leave them out"
    if given.get("authenticated") is True and url in _PUBLIC.values():
        yield f"authenticated: anybody can have a token of {url}: name its callers in rules"


def _problems_of_url(url: str) -> Iterator[str]:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.fragment or "@" in url:
        yield f"url: {shown(url)} is no address as https://sso.example.com, without a query or a credential"
    elif parts.scheme == "http" and not kinds.is_loopback(parts.hostname):
        yield f"url: {shown(url)} has to begin with https://, as anybody on the way could give other keys"


def _issuer(name: str, given: Mapping[str, Any], folder: Path) -> Issuer:
    kind = given.get("kind", name if name in KINDS else "")
    url = _url(name, given)

    def path(field: str, default: str = "") -> Path | None:
        text = given.get(field, default)
        return folder / text if text else None

    if "jwks_file" in given:
        source = KeySource(given.get("issuer", url), jwks_file=path("jwks_file"))
    elif kind == KUBERNETES and "url" not in given:
        ca_file, token_file = str(_ACCOUNT / "ca.crt"), str(_ACCOUNT / "token")
        source = KeySource(
            given.get("issuer", _CLUSTER_ISSUER), url, path("ca_file", ca_file), path("token_file", token_file)
        )
    else:
        source = KeySource(given.get("issuer", url), url, path("ca_file"), path("token_file"))
    return Issuer(
        name=name,
        kind=kind,
        audience=tuple(_audience(given)),
        source=source,
        user=given.get("user", "sub"),
        groups=given.get("groups", ""),
        authenticated=given.get("authenticated", False),
        sign_in=_client(given["sign_in"], folder) if "sign_in" in given else None,
    )


def _client(given: Mapping[str, Any], folder: Path) -> Client:
    secret_file = given.get("client_secret_file")
    return Client(
        given["client_id"],
        folder / secret_file if secret_file is not None else None,
        tuple(given.get("scopes", _SCOPES)),
    )


def _url(name: str, given: Mapping[str, Any]) -> str:
    kind = given.get("kind", name if name in KINDS else "")
    default = _CLUSTER if kind == KUBERNETES else _PUBLIC.get(kind, "")
    return str(given.get("url", "" if "issuer" in given and "jwks_file" in given else default))


def _audience(given: Mapping[str, Any]) -> list[Any]:
    audience = given.get("audience")
    return audience if isinstance(audience, list) else [audience] if audience is not None else []
