"""The file of policies: read with the schemas that it names, and again when one of these files changes."""

from pathlib import Path

import pytest

from chartrepo.core.chart import ChartVersion
from chartrepo.core.errors import AccessMisconfigured
from chartrepo.policies import watch_policies

SCHEMA = """policies: [{on: "**", existing: hide, schema: chart.schema.json}]\n"""
CHART = ChartVersion("web", "1.0.0", {"name": "web", "version": "1.0.0"})


@pytest.fixture(autouse=True)
def look_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chartrepo.watched._LOOKS", 0.0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "policies.yaml"


def write(file: Path, text: str) -> None:
    """Write a file anew, so that it is another one whatever the clock of its file system."""
    fresh = file.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(file)


def test_an_edit_of_a_schema_is_seen_as_one_of_the_file(file: Path) -> None:
    schema = file.parent / "chart.schema.json"
    write(file, SCHEMA)
    write(schema, '{"required": ["icon"]}')
    watched = watch_policies(file)
    watched.check()
    before = watched.value
    assert len(before.broken_by("", CHART, 1, 0)) == 1
    assert watched.value is before

    write(schema, '{"required": ["name"]}')
    assert watched.value.broken_by("", CHART, 1, 0) == ()
    assert watched.value.fingerprint != before.fingerprint


def test_a_schema_that_cannot_be_used_leaves_the_old_one_until_it_is_mended(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    schema = file.parent / "chart.schema.json"
    write(file, SCHEMA)
    write(schema, '{"required": ["icon"]}')
    watched = watch_policies(file)
    before = watched.value
    write(schema, "{")
    assert watched.value is before
    assert watched.value is before
    assert "chart.schema.json is not JSON" in (watched.problem or "")
    assert caplog.text.count("what was read last stays in force") == 1

    write(schema, '{"required": ["home"]}')
    assert "'home'" in watched.value.broken_by("", CHART, 1, 0)[0]
    assert watched.problem is None


def test_a_schema_that_is_not_there_is_found_when_it_comes(file: Path) -> None:
    write(file, SCHEMA)
    watched = watch_policies(file)
    with pytest.raises(AccessMisconfigured, match=r"policy 1, schema: .*chart.schema.json is not there: make it"):
        watched.check()
    write(file.parent / "chart.schema.json", "{}")
    assert watched.value.policies


def test_a_schema_that_a_file_names_no_more_is_not_looked_at(file: Path) -> None:
    schema = file.parent / "chart.schema.json"
    write(file, SCHEMA)
    write(schema, "{}")
    watched = watch_policies(file)
    watched.check()
    write(file, "policies: []")
    after = watched.value
    write(schema, "{")
    assert watched.value is after
    assert watched.problem is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "there is no policies: write a list of policies under it"),
        ("policies: [", "line 1: this is not YAML"),
        ("policies: []\nrules: []", "there is no key 'rules': write policies"),
        ("policies: [{on: '**', since: 2026-02-30, immutable: true}]", "there is a value that YAML cannot read"),
        ("policies: [{on: '**', since: 2026-02-01}]", "policies, policy 1: asks for nothing"),
    ],
)
def test_each_refusal_names_the_file_and_what_to_write(file: Path, text: str, said: str) -> None:
    write(file, text)
    with pytest.raises(AccessMisconfigured) as raised:
        watch_policies(file).check()
    assert str(raised.value).startswith(f"{file}: ")
    assert said in str(raised.value)


def test_what_is_wrong_beside_the_policies_is_told_with_them(file: Path) -> None:
    write(file, "policies: [{on: '**'}]\nrules: []")
    with pytest.raises(AccessMisconfigured) as raised:
        watch_policies(file).check()
    assert len(raised.value.problems) == 3


def test_a_day_without_quotes_is_read(file: Path) -> None:
    write(file, "policies: [{on: '**', since: 1970-01-02, required: icon}]")
    policies = watch_policies(file).value
    assert [len(policies.broken_by("", CHART, 1, moment)) for moment in (86399, 86400)] == [0, 1]
