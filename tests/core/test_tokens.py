"""The text of a token, and the record that is kept of it."""

import json
import random
import re
import zlib
from typing import Any

import pytest

from chartrepo.core import tokens
from chartrepo.core.errors import TokenInvalid
from chartrepo.core.permissions import Action, Caller, Permissions
from chartrepo.core.tokens import DIGITS, ID_LENGTH, MAX_ALLOW, MAX_RECORD, SECRET_LENGTH, Token

ID = "0aZ9bY8cX7"
SECRET = "ABCDEFGHIJabcdefghij0123456789"
TEXT = tokens.compose(ID, SECRET)


def token(**changes: Any) -> Token:
    fields: dict[str, Any] = {
        "id": ID,
        "name": "ci",
        "digest": tokens.digest(TEXT),
        "allow": ("publish:team/**", "read:**"),
        "created": 1_700_000_000,
        "expires": 1_700_000_100,
        "made_by": "user:admin",
    }
    return Token(**{**fields, **changes})


class TestTexts:
    def test_a_text_has_a_prefix_an_id_a_secret_and_their_checksum(self) -> None:
        assert re.fullmatch(r"crt_[0-9A-Za-z]{46}", TEXT)
        body = ID + SECRET
        number = 0
        for digit in TEXT[-6:]:
            number = number * 62 + DIGITS.index(digit)
        assert TEXT.startswith(f"crt_{body}")
        assert number == zlib.crc32(body.encode())

    def test_the_checksum_always_has_its_length(self) -> None:
        chosen = random.Random(1)
        for _ in range(200):
            made = tokens.compose(
                "".join(chosen.choices(DIGITS, k=ID_LENGTH)), "".join(chosen.choices(DIGITS, k=SECRET_LENGTH))
            )
            assert len(made) == 50
            assert tokens.id_in(made) == made[4:14]

    def test_any_other_letter_anywhere_is_noticed(self) -> None:
        assert tokens.id_in(TEXT) == ID
        for place in range(len(TEXT)):
            for other in "0Zz_":
                if other != TEXT[place]:
                    assert tokens.id_in(TEXT[:place] + other + TEXT[place + 1 :]) is None

    @pytest.mark.parametrize(
        "text", ["", "crt_", TEXT[:-1], TEXT + "0", TEXT + "\n", f" {TEXT}", TEXT.upper(), "crt_é"]
    )
    def test_what_is_no_text_of_a_token_has_no_id(self, text: str) -> None:
        assert tokens.id_in(text) is None

    def test_a_token_knows_its_text_and_no_other(self) -> None:
        assert token().is_text(TEXT)
        assert not token().is_text(tokens.compose(ID, SECRET[::-1]))
        assert not token().is_text("")
        assert not token().is_text("\ud800")

    def test_two_secrets_in_a_row_make_no_text_that_is_kept(self) -> None:
        assert SECRET not in token().to_json().decode()
        assert TEXT not in repr(token())


class TestWhatIsAllowed:
    def test_it_is_allowed_beside_what_rules_give(self) -> None:
        rules = Permissions.parse([{"who": "token:ci", "may": "delete", "on": "team/*"}])
        rights = rules.rights(Caller("token:ci", own=token().rules))
        assert rights.may(Action.PUBLISH, "team/app", "web")
        assert rights.may(Action.READ, "other", "web")
        assert rights.may(Action.DELETE, "team", "web")
        assert not rights.may(Action.PUBLISH, "other", "web")
        assert not rights.may(Action.DELETE, "team/app", "web")

    def test_it_is_allowed_to_nobody_else(self) -> None:
        rules = Permissions([])
        assert not rules.rights(Caller("token:ci")).anywhere(Action.READ)
        assert rules.rights(Caller("token:ci", own=token(allow=("admin:**",)).rules)).everywhere(Action.ADMIN)

    def test_the_rule_that_allows_it_can_be_shown(self) -> None:
        found = Permissions([]).rule_for(Caller("token:ci", own=token().rules), Action.PUBLISH, "team", "web")
        assert str(found) == '{who: [token:ci], may: [publish], on: ["team/**"]}'

    def test_callers_of_one_name_with_other_rights_are_others(self) -> None:
        one, other = (Caller("token:ci", own=token(allow=allow).rules) for allow in (("read:a",), ("read:b",)))
        assert one != other
        assert one == Caller("token:ci", own=token(allow=("read:a",)).rules)

    @pytest.mark.parametrize(
        ("allow", "problem"),
        [
            (("publish",), "allow: 'publish' is no ACTION:PATTERN: write it as publish:team/**"),
            (("",), "allow: '' is no ACTION:PATTERN"),
            (("write:team/**",), "allow: there is no action 'write': write read, publish, overwrite, delete or admin"),
            (("read:",), "allow: '' is empty: write '**' for everything"),
            (("read:a//b", "x"), "allow: 'a//b' has an empty part"),
            (("read:**",) * (MAX_ALLOW + 1), "allow: has 101 entries, and 100 are the most"),
        ],
    )
    def test_what_cannot_be_understood_is_refused(self, allow: tuple[str, ...], problem: str) -> None:
        with pytest.raises(TokenInvalid) as refusal:
            tokens.parse_allow("ci", allow)
        assert problem in str(refusal.value)

    def test_all_that_is_wrong_is_told(self) -> None:
        with pytest.raises(TokenInvalid, match=r"'x' is no .*; allow: there is no action 'y'"):
            tokens.parse_allow("ci", ["x", "read:**", "y:**"])


class TestNames:
    @pytest.mark.parametrize("name", ["a", "0", "ci", "ci-2.prod_x", "a" * 63])
    def test_names_are_taken(self, name: str) -> None:
        assert tokens.check_name(name) == name

    @pytest.mark.parametrize("name", ["", "-a", ".a", "CI", "a b", "a/b", "a\n", "ä", "a" * 64, "*"])
    def test_others_are_refused(self, name: str) -> None:
        with pytest.raises(TokenInvalid, match="names no token"):
            tokens.check_name(name)


class TestRecords:
    @pytest.mark.parametrize("changes", [{}, {"expires": None}, {"allow": ()}, {"made_by": "user:ä"}])
    def test_what_is_written_is_read(self, changes: dict[str, Any]) -> None:
        assert Token.from_json(token(**changes).to_json()) == token(**changes)

    def test_a_token_expires_in_its_second(self) -> None:
        assert not token().has_expired(1_700_000_099.9)
        assert token().has_expired(1_700_000_100)
        assert not token(expires=None).has_expired(1e12)

    def test_the_largest_record_can_be_read(self) -> None:
        allow = tuple(f"overwrite:{number:03}{'ü' * 253}" for number in range(MAX_ALLOW))
        largest = token(allow=allow, made_by="ü" * 512)
        assert Token.from_json(largest.to_json()) == largest

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"{",
            b"[]",
            b"null",
            b"\xff\xfe",
            b"[" * 100_000,
            b" " * MAX_RECORD + b"{}",
            b'{"id": "0aZ9bY8cX7"}',
        ],
    )
    def test_what_is_no_record_is_refused(self, data: bytes) -> None:
        with pytest.raises(TokenInvalid, match="the record"):
            Token.from_json(data)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("id", "short"),
            ("id", None),
            ("name", "CI"),
            ("name", 7),
            ("hash", "sha256:abc"),
            ("hash", None),
            ("hash", TEXT),
            ("allow", "read:**"),
            ("allow", [7]),
            ("allow", ["read"]),
            ("allow", None),
            ("created", "2026"),
            ("created", -1),
            ("created", True),
            ("created", None),
            ("expires", 1.5),
            ("expires", 10**20),
            ("expires", "never"),
            ("expires", False),
            ("made_by", []),
            ("made_by", "a\nb"),
            ("made_by", "a" * 513),
            ("more", 1),
        ],
    )
    def test_what_hands_spoilt_is_refused_with_the_field(self, name: str, value: object) -> None:
        record = json.loads(token().to_json())
        record[name] = value
        with pytest.raises(TokenInvalid, match="fields" if name == "more" else name):
            Token.from_json(json.dumps(record).encode())
