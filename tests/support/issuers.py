"""Issuers of identity tokens: keys that sign, and a web server with discovery and keys that change."""

import base64
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from typing import Any, Final
from urllib.parse import parse_qsl, quote_plus, urlencode

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from tests.support import web
from tests.support.web import Answer, Asked, Web

AUDIENCE: Final = "https://charts.example.com"
DISCOVERY: Final = "/.well-known/openid-configuration"
KEYS: Final = "/keys"
WORKFLOW: Final = "acme/web/.github/workflows/release.yml@refs/heads/main"
GITHUB: Final[Mapping[str, Any]] = {
    "sub": "repo:acme/web:environment:production",
    "repository": "acme/web",
    "repository_owner": "acme",
    "repository_owner_id": "4711",
    "job_workflow_ref": WORKFLOW,
    "ref": "refs/heads/main",
    "ref_type": "branch",
    "environment": "production",
    "event_name": "push",
}
"""What GitHub says of a run, as far as it matters here."""
GITLAB: Final[Mapping[str, Any]] = {
    "sub": "project_path:acme/web:ref_type:branch:ref:main",
    "project_path": "acme/web",
    "namespace_id": "72",
    "ref": "main",
    "ref_type": "branch",
    "ref_protected": "true",
    "pipeline_source": "push",
    "ci_config_ref_uri": "gitlab.example.com/acme/web//.gitlab-ci.yml@refs/heads/main",
}
KUBERNETES: Final[Mapping[str, Any]] = {
    "sub": "system:serviceaccount:ci:pusher",
    "kubernetes.io": {
        "namespace": "ci",
        "pod": {"name": "pusher-1", "uid": "1"},
        "serviceaccount": {"name": "pusher", "uid": "2"},
    },
}


class Key:
    """A key that signs.

    Attributes:
        id: by which tokens name it.
        algorithm: ES256, or RS256.
    """

    def __init__(self, key_id: str = "one", algorithm: str = "ES256") -> None:
        self.id = key_id
        self.algorithm = algorithm
        self.private: Any = (
            ec.generate_private_key(ec.SECP256R1()) if algorithm == "ES256" else rsa.generate_private_key(65537, 2048)
        )

    @property
    def jwk(self) -> dict[str, Any]:
        """Of the public key."""
        public = self.private.public_key()
        made = ECAlgorithm.to_jwk(public, True) if self.algorithm == "ES256" else RSAAlgorithm.to_jwk(public, True)
        return {**made, "kid": self.id, "use": "sig", "alg": self.algorithm}

    @property
    def pem(self) -> bytes:
        """The public key."""
        public: bytes = self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return public

    @property
    def certificate(self) -> bytes:
        """One that says that the key is its own."""
        name, now = x509.Name([]), datetime.now(UTC)
        made = x509.CertificateBuilder(name, name, self.private.public_key(), 1, now, now + timedelta(days=1))
        return made.sign(self.private, SHA256()).public_bytes(Encoding.PEM)

    def sign(self, claims: Mapping[str, Any], **headers: Any) -> str:
        """A token of just these claims."""
        pem = self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        said = {"kid": self.id, **headers}
        return jwt.encode(
            dict(claims), pem, self.algorithm, headers={name: each for name, each in said.items() if each}
        )


@cache
def rsa_key() -> Key:
    """One that takes long to make, made once."""
    return Key("rsa", "RS256")


def key_set(*keys: Key) -> bytes:
    """A JSON Web Key Set of public keys."""
    return json.dumps({"keys": [key.jwk for key in keys]}).encode()


class Issuer:
    """Somebody whose tokens are to be believed.

    Attributes:
        url: what the tokens have under `iss`.
        key: that signs.
    """

    def __init__(self, url: str, key: Key) -> None:
        self.url = url
        self.key = key

    def token(self, claims: Mapping[str, Any], *, key: Key | None = None, lasts: float = 300, **changes: Any) -> str:
        """A token as the issuer makes it, with claims changed, or left out where they are None."""
        now = int(time.time())
        said = {"iss": self.url, "aud": AUDIENCE, "iat": now, "nbf": now, "exp": now + int(lasts), "jti": "x", **claims}
        said |= changes
        return (key or self.key).sign({name: value for name, value in said.items() if value is not None})


class LocalIssuer(Issuer):
    """One that is asked for its keys.

    Attributes:
        web: answers for it.
    """

    def __init__(self, server: Web) -> None:
        super().__init__(server.url, Key())
        self.web = server
        server.answers[DISCOVERY] = Answer(json.dumps({"issuer": self.url, "jwks_uri": f"{self.url}{KEYS}"}).encode())
        self.publish(self.key)

    def publish(self, *keys: Key) -> None:
        """Answer with these keys from now on."""
        self.web.answers[KEYS] = Answer(key_set(*keys))

    def rotate(self) -> None:
        """Sign with a new key, and have the old one no more."""
        self.key = Key(f"{self.key.id}+")
        self.publish(self.key)

    def fail(self) -> None:
        """Answer 500 to everything."""
        self.web.answers |= {DISCOVERY: Answer(status=500), KEYS: Answer(status=500)}

    @property
    def asked(self) -> int:
        """How often it was asked for its keys."""
        return self.web.paths().count(DISCOVERY)


@contextmanager
def running() -> Iterator[LocalIssuer]:
    """An issuer on the loopback."""
    with web.running() as server:
        yield LocalIssuer(server)


AUTHORIZE: Final = "/authorize"
TOKEN: Final = "/token"
CLIENT: Final = "charts-pages"
CLIENT_SECRET: Final = "s3cr:et/+"


class Provider(Web):
    """An issuer with which people sign in: it lets in whoever comes, as one person, without asking anything.

    Attributes:
        issuer: what it is called, and its keys.
        claims: what it says of that person.
        changes: of the tokens that it makes; what is None is left out.
        codes: that were given and not used yet, with what was asked for.
        refuses: what it says in place of a code; empty for nothing.
        used: the forms that came for tokens.
    """

    def __init__(self) -> None:
        super().__init__()
        self.issuer = LocalIssuer(self)
        self.claims: dict[str, Any] = {"sub": "4711", "preferred_username": "grace", "groups": ["platform"]}
        self.changes: dict[str, Any] = {}
        self.codes: dict[str, dict[str, str]] = {}
        self.refuses = ""
        self.used: list[dict[str, str]] = []
        self.say()

    def say(self, **changes: Any) -> None:
        """Publish the discovery document, with what changes in it."""
        document = {
            "issuer": self.url,
            "jwks_uri": f"{self.url}{KEYS}",
            "authorization_endpoint": f"{self.url}{AUTHORIZE}?realm=main",
            "token_endpoint": f"{self.url}{TOKEN}",
        }
        self.answers[DISCOVERY] = Answer(json.dumps({**document, **changes}).encode())

    def respond(self, asked: Asked) -> Answer:
        """Send a browser back with a code, and give a token for it once."""
        path, _, query = asked.path.partition("?")
        if path == AUTHORIZE:
            return self._send_back(dict(parse_qsl(query)))
        if path == TOKEN and TOKEN not in self.answers:
            return self._give(dict(parse_qsl(asked.body.decode())), asked.headers.get("authorization", ""))
        return super().respond(asked)

    def _send_back(self, wanted: dict[str, str]) -> Answer:
        said = {"state": wanted["state"]}
        if self.refuses:
            said |= {"error": self.refuses, "error_description": "<b>not you</b>"}
        else:
            code = f"code-{len(self.codes) + len(self.used)}"
            self.codes[code] = wanted
            said["code"] = code
        return Answer(status=302, headers=(("Location", f"{wanted['redirect_uri']}?{urlencode(said)}"),))

    def _give(self, form: dict[str, str], authorization: str) -> Answer:
        self.used.append(form)
        wanted = self.codes.pop(form.get("code", ""), None)
        pair = f"{quote_plus(CLIENT)}:{quote_plus(CLIENT_SECRET)}".encode()
        if authorization != f"Basic {base64.b64encode(pair).decode()}":
            return Answer(b'{"error": "invalid_client"}', 401)
        challenge = (
            base64.urlsafe_b64encode(sha256(form.get("code_verifier", "").encode()).digest()).decode().rstrip("=")
        )
        if (
            wanted is None
            or form["redirect_uri"] != wanted["redirect_uri"]
            or (wanted["code_challenge_method"], wanted["code_challenge"]) != ("S256", challenge)
        ):
            return Answer(b'{"error": "invalid_grant"}', 400)
        changes = {"aud": CLIENT, "nonce": wanted["nonce"], **self.changes}
        token = self.issuer.token(self.claims, **changes)
        return Answer(json.dumps({"id_token": token, "access_token": "x", "token_type": "Bearer"}).encode())


@contextmanager
def signing_in() -> Iterator[Provider]:
    """An issuer on the loopback with which people sign in."""
    provider = Provider()
    with web.serving(provider):
        yield provider
