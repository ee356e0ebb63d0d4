"""Which hashes of passwords are taken, and that a password matches its own alone."""

from collections.abc import Callable
from typing import Final

import argon2
import bcrypt
import pytest
from argon2.exceptions import VerificationError

from chartrepo.access.hashes import like, matches, parse_hash
from chartrepo.core.errors import PasswordUnchecked

# What Apache's page "Password Formats" shows, of the password "myPassword".
APACHE_BCRYPT: Final = "$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC"
APACHE_MD5: Final = "$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/"
APACHE_SHA1: Final = "{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE="
APACHE_CRYPT: Final = "rqXexS6ZhobKA"

SALT: Final = "AAAAAAAAAAA"
DIGEST: Final = "A" * 22


def bcrypt_of(password: bytes, prefix: str = "2b") -> str:
    return f"${prefix}" + bcrypt.hashpw(password, bcrypt.gensalt(4)).decode()[3:]


def argon2_of(password: bytes, kind: argon2.Type = argon2.Type.ID) -> str:
    return argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1, type=kind).hash(password)


HASHES: Final[list[Callable[[bytes], str]]] = [
    *(lambda password, prefix=prefix: bcrypt_of(password, prefix) for prefix in ("2a", "2b", "2y")),
    *(lambda password, kind=kind: argon2_of(password, kind) for kind in argon2.Type),
]


@pytest.mark.parametrize("of", HASHES)
def test_a_password_matches_its_own_hash_alone(of: Callable[[bytes], str]) -> None:
    stored = parse_hash(of("pässwörd".encode()))
    assert [matches(stored, text.encode()) for text in ("pässwörd", "pässwörd ", "Pässwörd", "")] == [True] + [
        False
    ] * 3


def test_what_htpasswd_wrote_is_read() -> None:
    assert matches(parse_hash(APACHE_BCRYPT), b"myPassword")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (APACHE_MD5, r"MD5 \(\$apr1\$\)"),
        (APACHE_SHA1, r"SHA-1 \(\{SHA\}\)"),
        (APACHE_CRYPT, r"crypt \(DES\) or plain text"),
        ("{SSHA}MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=", r"SHA-1 \(\{SSHA\}\)"),
        ("$1$abcdefgh$irWbblnpmw.5z7wgBnprh0", r"MD5 \(\$1\$\)"),
        ("$5$rounds=5000$usesomesillystri$KqJWpanXZHKq2BOB43TSaYhEWsQ1Lr5QNyPCDH/Tp.6", "SHA-256 crypt"),
        ("$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjlO/O817G3uBnIFNjnQJu", "SHA-512 crypt"),
        ("$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7", "yescrypt"),
        ("$2x$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC", "an old bcrypt"),
        ("$pbkdf2-sha256$29000$N2YMIWQsBWBMae09x1jrPQ$1t8iyB2A.WF/Z5JZv.lfCIhXXN33N23OSgQYThBYRfk", "not known here"),
        ("{CRYPT}rqXexS6ZhobKA", "not known here"),
        ("secret", "plain text"),
        ("", "plain text"),
    ],
)
def test_other_kinds_are_refused_by_name_and_not_shown(text: str, named: str) -> None:
    with pytest.raises(ValueError, match=f"{named}.*, and only bcrypt and Argon2 are taken") as refused:
        parse_hash(text)
    assert not text or text not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        APACHE_BCRYPT[:-1],
        APACHE_BCRYPT + "C",
        APACHE_BCRYPT[:-1] + "D",  # bits that mean nothing are set: the library computes another text
        APACHE_BCRYPT.replace("HHa6u", "HHa6v"),
        APACHE_BCRYPT.replace("$05$", "$03$"),
        APACHE_BCRYPT.replace("$05$", "$5$"),
        f"$argon2id$v=19$m=8,t=1,p=1${SALT}",
        f"$argon2id$v=18$m=8,t=1,p=1${SALT}${DIGEST}",
        f"$argon2id$v=19$m=7,t=1,p=1${SALT}${DIGEST}",
        f"$argon2id$v=19$m=15,t=1,p=2${SALT}${DIGEST}",
        f"$argon2id$v=19$m=8,t=0,p=1${SALT}${DIGEST}",
        f"$argon2id$v=19$m=08,t=1,p=1${SALT}${DIGEST}",
        f"$argon2id$v=19$t=1,m=8,p=1${SALT}${DIGEST}",
        f"$argon2id$v=19$m=8,t=1,p=1${SALT[1:]}${DIGEST}",
        f"$argon2id$v=19$m=8,t=1,p=1${SALT}${DIGEST[1:]}",
        f"$argon2id$v=19$m=8,t=1,p=1${SALT}${DIGEST[1:]}B",
        f"$argon2id$v=19$m=8,t=1,p=1${SALT}AA${DIGEST}",
        f"$argon2x$v=19$m=8,t=1,p=1${SALT}${DIGEST}",
    ],
)
def test_what_no_password_could_match_is_damaged(text: str) -> None:
    with pytest.raises(ValueError, match="that is damaged"):
        parse_hash(text)


@pytest.mark.parametrize(
    "parameters", ["$m=8,t=1,p=1", "$v=16$m=8,t=1,p=1", "$v=19$m=16,t=2,p=2", "$v=19$m=128,t=1,p=16"]
)
@pytest.mark.parametrize("kind", ["argon2id", "argon2i", "argon2d"])
@pytest.mark.parametrize(("salt", "digest"), [(SALT, DIGEST), ("A" * 86, "A" * 86)])
def test_an_argon2_that_was_read_can_be_checked(kind: str, parameters: str, salt: str, digest: str) -> None:
    assert not matches(parse_hash(f"${kind}{parameters}${salt}${digest}"), b"secret")


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        (APACHE_BCRYPT.replace("$05$", "$04$"), True),
        (APACHE_BCRYPT.replace("$05$", "$15$"), True),
        (APACHE_BCRYPT.replace("$05$", "$16$"), False),
        (APACHE_BCRYPT.replace("$05$", "$31$"), False),
        (f"$argon2id$v=19$m=131072,t=8,p=16${SALT}${DIGEST}", True),
        (f"$argon2id$v=19$m=131073,t=1,p=1${SALT}${DIGEST}", False),
        (f"$argon2id$v=19$m=131072,t=9,p=1${SALT}${DIGEST}", False),
        (f"$argon2id$v=19$m=4294967295,t=4294967295,p=1${SALT}${DIGEST}", False),
        (f"$argon2id$v=19$m=65536,t=3,p=17${SALT}${DIGEST}", False),
    ],
)
def test_a_cost_that_each_login_would_feel_is_refused(text: str, taken: bool) -> None:
    if taken:
        assert parse_hash(text).text == text
        return
    with pytest.raises(ValueError, match="each login would take"):
        parse_hash(text)


def test_bcrypt_reads_the_first_72_bytes_as_htpasswd_does() -> None:
    stored = parse_hash(bcrypt_of(b"x" * 72))
    assert matches(stored, b"x" * 100)
    assert not matches(stored, b"x" * 71)


def test_argon2_reads_all_of_a_password() -> None:
    stored = parse_hash(argon2_of(b"x" * 100))
    assert matches(stored, b"x" * 100)
    assert not matches(stored, b"x" * 99)


def test_the_more_costly_of_two_is_known_whatever_their_kinds() -> None:
    cheap, dear = (parse_hash(APACHE_BCRYPT.replace("$05$", f"${cost}$")) for cost in ("05", "12"))
    between = parse_hash(f"$argon2id$v=19$m=19456,t=2,p=1${SALT}${DIGEST}")
    beyond = parse_hash(f"$argon2id$v=19$m=131072,t=8,p=1${SALT}${DIGEST}")
    assert cheap.work < between.work < dear.work < beyond.work


@pytest.mark.parametrize("of", HASHES)
def test_a_hash_of_nobody_has_kind_and_cost_of_the_one_it_is_like(of: Callable[[bytes], str]) -> None:
    stored = parse_hash(of(b"secret"))
    nobody = like(stored)
    assert parse_hash(nobody.text) == nobody
    assert nobody.work == stored.work
    assert nobody.text.startswith(stored.text[:7])
    assert not matches(nobody, b"secret")


def test_a_lack_of_memory_is_no_wrong_password(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> bool:
        raise VerificationError("Memory allocation error")

    stored = parse_hash(argon2_of(b"secret"))
    monkeypatch.setattr(argon2.PasswordHasher, "verify", fails)
    with pytest.raises(PasswordUnchecked, match="Memory allocation error: try again soon"):
        matches(stored, b"secret")


def test_a_hash_does_not_show_where_it_is_printed() -> None:
    assert "c4WoMPo3" not in repr(parse_hash(APACHE_BCRYPT))
