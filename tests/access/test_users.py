"""What the lines of an htpasswd file say, and what is said of those that say nothing."""

from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chartrepo.access.users import parse
from chartrepo.core.errors import UsersInvalid

FILE: Final = Path("/etc/chart repo/users")
HASH: Final = "$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC"
COSTLY: Final = HASH.replace("$05$", "$09$")
REMEDY: Final = "`htpasswd -B -C 12 '/etc/chart repo/users' NAME`"
RENEW: Final = f"renew it with {REMEDY}"


def names(text: str | bytes) -> list[str]:
    return list(parse(text.encode() if isinstance(text, str) else text, FILE).hashes)


def problems(text: str | bytes) -> tuple[str, ...]:
    with pytest.raises(UsersInvalid) as refused:
        names(text)
    return refused.value.problems


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (f"ci:{HASH}", ["ci"]),
        (f"# team\n\n  \nci:{HASH}\r\n\t # end\n", ["ci"]),
        (f"  ci:{HASH}  \n", ["ci"]),
        (f"\ufeffci:{HASH}\n", ["ci"]),
        (f"ci:{HASH}:a comment: as nginx has it\n", ["ci"]),
        (f"b:{HASH}\na:{HASH}\n", ["b", "a"]),
        (f"jürgen müller@例え:{HASH}\n", ["jürgen müller@例え"]),
        (f"{'ä' * 127}x:{HASH}\n", ["ä" * 127 + "x"]),
    ],
)
def test_names_are_read(text: str, read: list[str]) -> None:
    assert names(text) == read


def test_hashes_are_read_as_they_are_written() -> None:
    found = parse(f"a:{HASH}\nb:{COSTLY}\n".encode(), FILE)
    assert {name: stored.text for name, stored in found.hashes.items()} == {"a": HASH, "b": COSTLY}


@pytest.mark.parametrize("order", [(HASH, COSTLY), (COSTLY, HASH)])
def test_nobody_costs_what_the_most_costly_user_does(order: tuple[str, str]) -> None:
    found = parse(f"a:{order[0]}\nb:{order[1]}\n".encode(), FILE)
    assert found.nobody.text.startswith("$2y$09$")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("secret", f"there is no colon, as in NAME:HASH: write the line with {REMEDY}"),
        (f":{HASH}", "the name is missing: write one before the colon"),
        (f"{'ä' * 128}:{HASH}", "the name has 256 bytes: use 255 at most"),
        (f"a\tb:{HASH}", "the name holds a control character: leave it out"),
        (f"a\x7fb:{HASH}", "the name holds a control character: leave it out"),
        (f"a\x85b:{HASH}", "the name holds a control character: leave it out"),
        (b"J\xfcrgen:" + HASH.encode(), "the name is not UTF-8: write the file in that encoding"),
        (
            "ci:{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=",
            f"the password is SHA-1 ({{SHA}}), and only bcrypt and Argon2 are taken: {RENEW}",
        ),
        (
            f"ci:{HASH.replace('$05$', '$17$')}",
            f"the password is a bcrypt of cost 17, and each login would take seconds (15 at most): {RENEW}",
        ),
        (f"ci:{HASH[:-1]}ä", f"the password is a bcrypt that is damaged: {RENEW}"),
    ],
)
def test_a_line_that_breaks_a_rule_is_told_with_its_number_and_the_remedy(line: str | bytes, problem: str) -> None:
    encoded = line.encode() if isinstance(line, str) else line
    assert problems(f"# one\nok:{HASH}\n".encode() + encoded) == (f"{FILE}, line 3: {problem}",)


def test_all_that_is_wrong_is_told() -> None:
    assert [text.partition(": ")[0] for text in problems(f"a:x\nok:{HASH}\n:{HASH}\nb\n")] == [
        f"{FILE}, line {number}" for number in (1, 3, 4)
    ]


@pytest.mark.parametrize("first", [HASH, "secret"])
def test_a_name_that_was_given_before_is_told(first: str) -> None:
    assert f"{FILE}, line 3: the name was given already in line 1: keep one of them" in problems(
        f"ci:{first}\nother:{HASH}\nci:{COSTLY}\n"
    )


def test_a_file_of_another_kind_is_told_in_few_words() -> None:
    told = problems("word\n" * 1000)
    assert len(told) == 21
    assert told[-1] == f"{FILE}: 980 more problems"


@pytest.mark.parametrize("text", ["", "\n", "# nobody\n"])
def test_a_file_without_users_is_told(text: str) -> None:
    assert problems(text) == (f"{FILE}: there are no users in it: add one with {REMEDY}",)


@pytest.mark.parametrize("line", [f"{HASH}:ci", f"{HASH}", "ci:hunter2", f"ci:{HASH}x", f"ci:{HASH}\nci:{HASH}"])
def test_no_secret_is_told(line: str) -> None:
    told = " ".join(problems(line))
    assert "c4WoMPo3" not in told
    assert "hunter2" not in told


@given(st.binary(max_size=200) | st.text(alphabet="a:$2yargon,=\n#{}/.", max_size=200).map(str.encode))
def test_any_bytes_are_users_or_told(data: bytes) -> None:
    try:
        found = parse(data, FILE)
    except UsersInvalid as error:
        assert error.problems  # noqa: PT017 - most bytes are no users
    else:
        assert found.hashes
