"""Attacks on tokens in which an issuer says who somebody is, each against a directory that believes two issuers."""

import base64
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any, Final

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chartrepo.access import Directory, SigningKeys, looks_like_one, watch_rules
from chartrepo.access.identity_tokens import LEEWAY, MAX_TEXT
from chartrepo.core.errors import IdentityRefused
from storage.memory import MemoryStorage
from tests.support.issuers import AUDIENCE, GITHUB, GITLAB, KUBERNETES, Issuer, Key, key_set, rsa_key

MAIN: Final = "https://main.example"
OTHER: Final = "https://other.example"


@pytest.fixture(scope="module")
def main() -> Issuer:
    return Issuer(MAIN, rsa_key())


@pytest.fixture(scope="module")
def other() -> Issuer:
    return Issuer(OTHER, Key("other"))


@pytest.fixture
def directory(tmp_path: Path, main: Issuer, other: Issuer) -> Directory:
    (tmp_path / "main.json").write_bytes(key_set(main.key))
    (tmp_path / "other.json").write_bytes(key_set(other.key))
    (tmp_path / "rules.yaml").write_text(
        "permissions: []\n"
        "issuers:\n"
        f"  main: {{issuer: {MAIN}, jwks_file: main.json, audience: [first, {AUDIENCE}]}}\n"
        f"  other: {{issuer: {OTHER}, jwks_file: other.json, audience: {AUDIENCE}}}\n"
    )
    made = Directory(rules=watch_rules(tmp_path / "rules.yaml"))
    made.check()
    return made


def refused(directory: Directory, text: str) -> str:
    with pytest.raises(IdentityRefused) as refusal:
        directory.identify_identity(text)
    return str(refusal.value)


def encoded(value: object) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    return {"iss": MAIN, "aud": AUDIENCE, "iat": now, "exp": now + 300, "sub": "ada", **changes}


def signed(key: Key, header: bytes | dict[str, Any], payload: bytes | dict[str, Any]) -> str:
    """A token that is signed by a key of RSA, whatever it says."""
    body = f"{encoded(header)}.{encoded(payload)}"
    signature = jwt.algorithms.RSAAlgorithm(jwt.algorithms.RSAAlgorithm.SHA256).sign(body.encode(), key.private)
    return f"{body}.{encoded(signature)}"


def with_hmac(secret: bytes, algorithm: str = "HS256") -> str:
    """A token signed with a public key as if that were a shared secret."""
    body = f"{encoded({'alg': algorithm, 'typ': 'JWT', 'kid': 'rsa'})}.{encoded(claims())}"
    return f"{body}.{encoded(hmac.digest(secret, body.encode(), hashlib.sha256))}"


def test_one_that_holds_makes_its_caller_known_until_it_ends(directory: Directory, main: Issuer) -> None:
    for audience in (AUDIENCE, "first", ["x", AUDIENCE]):
        shown = directory.identify_identity(main.token({"sub": "ada"}, aud=audience))
        assert shown.caller.name == "main:ada"
        assert shown.until == pytest.approx(time.time() + 300, abs=30)


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "", None, ["RS256"], "HS256", "HS512", "RS256 "])
def test_only_algorithms_of_the_list_are_taken(directory: Directory, algorithm: Any) -> None:
    unsigned = f"{encoded({'alg': algorithm, 'typ': 'JWT'})}.{encoded(claims())}."
    assert "which is not taken" in refused(directory, unsigned)


def test_an_rs256_token_without_a_signature_is_refused(directory: Directory) -> None:
    refused(directory, f"{encoded({'alg': 'RS256', 'kid': 'rsa'})}.{encoded(claims())}.")


def test_a_public_key_is_no_shared_secret(directory: Directory) -> None:
    for secret in (rsa_key().pem, rsa_key().pem.strip(), json.dumps(rsa_key().jwk).encode()):
        assert "'HS256', which is not taken" in refused(directory, with_hmac(secret))
        # ... also where it says that it is something else.
        refused(directory, with_hmac(secret, "RS256"))


def test_an_algorithm_that_the_key_is_not_for_is_refused(directory: Directory, main: Issuer) -> None:
    for algorithm in ("ES256", "EdDSA", "PS256", "RS384"):
        assert "by no key of the issuer main" in refused(directory, main.token({"sub": "x"}, key=_claiming(algorithm)))


def _claiming(algorithm: str) -> Any:
    """A key of RSA whose tokens say that another algorithm was used."""

    class Claiming:
        def sign(self, payload: dict[str, Any]) -> str:
            return signed(rsa_key(), {"alg": algorithm, "kid": "rsa"}, payload)

    return Claiming()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"aud": "https://another.example"}, "for another audience: ask for one with aud first"),
        ({"aud": None}, 'missing the "aud" claim'),
        ({"aud": []}, "aud"),
        ({"aud": f"{AUDIENCE}/"}, "another audience"),
        ({"aud": AUDIENCE.upper()}, "another audience"),
        ({"aud": {"first": 1}}, "aud"),
        ({"iss": f"{MAIN}/"}, "an issuer that is not known here"),
        ({"iss": "HTTPS://MAIN.EXAMPLE"}, "not known here"),
        ({"iss": None}, "not known here"),
        ({"exp": int(time.time()) - LEEWAY - 5}, "has expired"),
        ({"exp": None}, 'missing the "exp" claim'),
        ({"exp": "soon"}, "does not hold"),
        ({"exp": [1]}, "does not hold"),
        ({"exp": "9999999999"}, "exp is no number"),
        ({"nbf": int(time.time()) + LEEWAY + 10**6}, "not valid yet"),
        ({"nbf": "later"}, "does not hold"),
        ({"iat": int(time.time()) + LEEWAY + 10**6}, "not valid yet"),
        ({"sub": None}, "says nothing under sub"),
        ({"sub": {"a": "b"}}, ""),
    ],
)
def test_what_it_says_has_to_be_right(directory: Directory, main: Issuer, changes: dict[str, Any], reason: str) -> None:
    assert reason in refused(directory, main.token({"sub": "ada"}, **changes))


def test_an_issuer_is_a_text(directory: Directory) -> None:
    text = signed(rsa_key(), {"alg": "RS256", "kid": "rsa"}, claims(iss=[MAIN]))
    assert "not as a text" in refused(directory, text)


def test_clocks_may_differ_a_little(directory: Directory, main: Issuer) -> None:
    now = int(time.time())
    for changes in ({"exp": now - LEEWAY + 20}, {"nbf": now + LEEWAY - 20}, {"iat": now + LEEWAY - 20}):
        assert directory.identify_identity(main.token({"sub": "ada"}, **changes)).caller.name == "main:ada"


def test_only_the_keys_of_the_issuer_that_it_names_are_tried(directory: Directory, main: Issuer, other: Issuer) -> None:
    forged = Issuer(MAIN, other.key).token({"sub": "ada"})
    assert "by no key of the issuer main" in refused(directory, forged)
    same_name = Key("rsa", "RS256")
    assert "does not hold" in refused(directory, Issuer(MAIN, same_name).token({"sub": "ada"}))
    assert directory.identify_identity(other.token({"sub": "ada"})).caller.name == "other:ada"


@pytest.mark.parametrize(
    "key_id", ["../../etc/passwd", "/dev/null", "other", "' OR 1=1 --", "https://evil.example/keys", "x" * 500, "\0"]
)
def test_a_key_that_is_named_is_one_of_the_issuer_s_or_none(directory: Directory, key_id: str) -> None:
    text = signed(rsa_key(), {"alg": "RS256", "kid": key_id}, claims())
    assert "by no key of the issuer main" in refused(directory, text)


@pytest.mark.parametrize("key_id", [1, ["rsa"], {"a": 1}, "x" * 600])
def test_a_key_has_a_name_that_is_a_short_text(directory: Directory, key_id: Any) -> None:
    assert "names no key" in refused(directory, signed(rsa_key(), {"alg": "RS256", "kid": key_id}, claims()))


def test_keys_that_it_brings_along_are_not_looked_at(directory: Directory) -> None:
    own = Key("rsa", "RS256")
    for header in (
        {"jwk": own.jwk},
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example/cert"},
        {"x5c": [base64.b64encode(own.pem).decode()]},
    ):
        text = signed(own, {"alg": "RS256", "kid": "rsa", **header}, claims())
        assert "does not hold" in refused(directory, text)


def test_one_without_the_name_of_a_key_is_tried_with_the_only_one_there_is(directory: Directory, main: Issuer) -> None:
    text = signed(rsa_key(), {"alg": "RS256"}, claims())
    assert directory.identify_identity(text).caller.name == "main:ada"


@pytest.mark.parametrize(
    ("header", "payload"),
    [
        (b'{"alg":"RS256","kid":"rsa","alg":"RS256"}', None),
        (b'{"alg":"none","alg":"RS256","kid":"rsa"}', None),
        (None, b'{"iss":"https://evil.example","iss":"%s","aud":"%s","exp":9999999999,"sub":"ada"}'),
        (None, b'{"iss":"%s","aud":"%s","exp":9999999999,"sub":"eve","sub":"ada"}'),
        (None, b'{"iss":"%s","aud":"%s","exp":9999999999,"sub":"ada","x":{"a":1,"a":2}}'),
        (None, b'{"iss":"%s","aud":"%s","exp":Infinity,"sub":"ada"}'),
        (None, b'{"iss":"%s","aud":"%s","exp":NaN,"sub":"ada"}'),
        (None, b'{"iss":"%s","aud":"%s","exp":9999999999,"sub":"ada","x":["\\ud800"]}'),
        (None, b'["%s","%s"]'),
        (None, b'"%s %s"'),
        (None, b"\xff%s%s"),
        (b"[]", None),
        (b"{", None),
    ],
)
def test_a_part_that_two_readers_could_read_differently_is_refused(
    directory: Directory, header: bytes | None, payload: bytes | None
) -> None:
    given = payload % (MAIN.encode(), AUDIENCE.encode()) if payload is not None else claims()
    assert "no JSON" in refused(directory, signed(rsa_key(), header or {"alg": "RS256", "kid": "rsa"}, given))


def test_what_it_wants_understood_is_not(directory: Directory) -> None:
    text = signed(rsa_key(), {"alg": "RS256", "kid": "rsa", "crit": ["exp"], "exp": 1}, claims())
    assert "crit" in refused(directory, text)


@pytest.mark.parametrize(
    "text",
    [
        "eyJ" + "A" * MAX_TEXT + ".x.y",
        "eyJ" + "A" * (MAX_TEXT - 20) + ".eyJ.x",
        "eyJ..",
        "eyJ.a.b.c",
        "eyJhbGciOiJSUzI1NiJ9.e30=.x",
        "eyJhbGciOiJSUzI1NiJ9.e3\n0.x",
        "eyJhbGciOiJSUzI1NiJ9.é.x",
        "eyJhbGciOiJSUzI1NiJ9." + base64.urlsafe_b64encode(b"[" * 9000).decode().rstrip("=") + ".x",
        "eyJhbGciOiJSUzI1NiJ9." + base64.urlsafe_b64encode(b'{"exp":' + b"9" * 9000 + b"}").decode().rstrip("=") + ".x",
    ],
)
def test_what_is_huge_or_no_token_is_refused(directory: Directory, text: str) -> None:
    refused(directory, text)


def test_a_time_beyond_all_times_is_refused(directory: Directory) -> None:
    payload = json.dumps(claims()).encode().replace(b'"sub"', b'"exp": 1e999, "x"').replace(b'"exp": 1', b'"y": 1', 1)
    assert "does not hold" in refused(directory, signed(rsa_key(), {"alg": "RS256", "kid": "rsa"}, payload))


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("eyJhbGciOiJSUzI1NiJ9.e30.x", True),
        ("eyJ...", False),
        ("eyJ", False),
        ("eyJ..", False),
        ("crt_0123456789", False),
        ("eyJust a password", False),
        ("a.b.c", False),
    ],
)
def test_what_is_written_as_one_is_taken_for_one_and_nothing_else(text: str, is_one: bool) -> None:
    assert looks_like_one(text) == is_one


def test_a_changed_signature_or_text_is_refused(directory: Directory, main: Issuer) -> None:
    text = main.token({"sub": "ada"})
    header, payload, signature = text.split(".")
    refused(directory, f"{header}.{payload}.{signature[:-8]}AAAAAAAA")
    refused(directory, f"{header}.{encoded(claims(sub='root'))}.{signature}")


NAMES: Final = (
    *GITHUB,
    *GITLAB,
    *("kubernetes.io", "namespace", "serviceaccount", "name", "groups", "nbf", "iat", "jti", "aud", "exp", "a", "b"),
)
VALUES: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=8,
)
KINDS: Final = {"github": GITHUB, "gitlab": GITLAB, "kubernetes": KUBERNETES, "sso": {"a": {"b": "ada"}}}
SIGNER: Final = Key()


@pytest.fixture(scope="module")
def of_all_kinds(tmp_path_factory: pytest.TempPathFactory) -> Directory:
    folder = tmp_path_factory.mktemp("kinds")
    (folder / "keys.json").write_bytes(key_set(SIGNER))
    known = [f"  {name}: {{issuer: {name}, jwks_file: keys.json, audience: x}}\n" for name in KINDS if name != "sso"]
    (folder / "rules.yaml").write_text(
        "permissions:\n"
        "  - {who: [{issuer: github, repository: acme/web, environment: 'p*'}], may: [publish], on: [apps/web]}\n"
        "  - {who: ['gitlab:acme/web@refs/heads/*', {issuer: sso, a.b: 'a*', a: x}], may: [publish], on: [apps/web]}\n"
        "issuers:\n  sso: {issuer: sso, jwks_file: keys.json, audience: x, user: a.b, groups: groups}\n"
        + "".join(known)
    )
    return Directory(rules=watch_rules(folder / "rules.yaml"), keys=SigningKeys((MemoryStorage(),)))


@settings(max_examples=200, deadline=None)
@given(kind=st.sampled_from(sorted(KINDS)), said=st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=3))
def test_whatever_an_issuer_says_its_caller_is_the_same_after_an_exchange_or_it_is_refused(
    of_all_kinds: Directory, kind: str, said: dict[str, Any]
) -> None:
    payload = {**claims(iss=kind, aud="x"), **KINDS[kind], **said}
    try:
        shown = of_all_kinds.identify_identity(_signed_by_curve(SIGNER, payload))
    except IdentityRefused:
        return
    tokens = of_all_kinds.registry_tokens
    assert tokens is not None
    assert of_all_kinds.identify_registry_token(tokens.exchange(shown.login).text) == shown.caller
    assert shown.until is not None
    assert shown.until > time.time() - 2 * LEEWAY


def _signed_by_curve(key: Key, payload: dict[str, Any]) -> str:
    """A token of any claims, also of those that PyJWT itself would not make."""
    body = f"{encoded({'alg': 'ES256', 'kid': key.id})}.{encoded(payload)}"
    curve = jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256)
    return f"{body}.{encoded(curve.sign(body.encode(), key.private))}"
