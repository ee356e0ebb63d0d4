"""What may stand in a file of rules, and what is said of the rest."""

from pathlib import Path

import pytest

from chartrepo.access import watch_rules
from chartrepo.access.rules import parse_rules
from chartrepo.core.errors import AccessMisconfigured
from chartrepo.watched import Watched

NONE = "permissions: []\n"


def test_rules_and_groups_are_read() -> None:
    text = 'permissions:\n  - {who: ["group:web"], may: read, on: "web/**"}\ngroups: {web: [ada, grace]}\n'
    rules = parse_rules(text.encode())
    assert rules.groups_of("ada") == {"web"}
    assert rules.groups_of("bob") == frozenset()
    assert [str(rule) for rule in rules.permissions.rules] == ['{who: [group:web], may: [read], on: ["web/**"]}']


@pytest.mark.parametrize(
    "value",
    [
        "2026-02-30",
        "2001-13-45",
        "0b_",
        "!!int x",
        "!!bool x",
        "!!timestamp x",
        "9" * 5000,
        "!!python/object:os.system",
    ],
)
def test_what_yaml_cannot_read_is_a_problem_of_the_file(tmp_path: Path, value: str) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(f"{NONE}groups: {{platform: [grace, {value}]}}\n")
    with pytest.raises(AccessMisconfigured, match=f"^{file}: "):
        watch_rules(file).check()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "there is no permissions"),
        ("permissions: [", "line 1: this is not YAML"),
        ("permissions: &a []\ngroups: *a", "aliases are not taken"),
        (NONE + NONE, "a key stands here twice"),
        (f"{NONE}rules: []", "there is no key 'rules'"),
        (f"{NONE}groups: {{web: ada}}", "groups, 'web': write a list"),
    ],
)
def test_each_refusal_says_what_to_write(text: str, said: str) -> None:
    with pytest.raises(AccessMisconfigured, match=said):
        parse_rules(text.encode())


def test_whatever_a_parser_raises_is_a_problem_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")

    def parse(_data: bytes) -> str:
        raise ZeroDivisionError("nobody foresaw it")

    watched = Watched(file, parse, remedy="make it")
    for _ in range(2):
        with pytest.raises(AccessMisconfigured, match="cannot be understood: ZeroDivisionError"):
            _ = watched.value
    assert "nobody foresaw it" in (watched.problem or "")
