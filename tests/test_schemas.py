"""JSON Schemas over Chart.yaml."""

import json
import socket

import pytest

from chartrepo.core.errors import PoliciesInvalid
from chartrepo.schemas import parse_schema

CHART = {"name": "web", "version": "1.0.0", "maintainers": [{"name": "ada"}]}


def problems(schema: object, chart: object = CHART) -> list[str]:
    assert isinstance(chart, dict)
    return list(parse_schema(json.dumps(schema).encode(), "chart.schema.json").problems(chart))


def test_each_problem_names_the_field_the_reason_and_the_file() -> None:
    schema = {
        "required": ["icon"],
        "properties": {"name": {"pattern": "^x"}, "maintainers": {"items": {"required": ["email"]}}},
    }
    assert problems(schema) == [
        "the whole of it: 'icon' is a required property (chart.schema.json)",
        "maintainers[0]: 'email' is a required property (chart.schema.json)",
        "name: 'web' does not match '^x' (chart.schema.json)",
    ]
    assert problems(schema, {"icon": "i", "name": "xy"}) == []


def test_what_is_said_stays_on_one_line_and_ends() -> None:
    (said,) = problems({"properties": {"description": {"maxLength": 3}}}, {"description": "a\n" * 10_000})
    assert "\n" not in said
    assert len(said) < 300


def test_of_many_problems_some_are_told() -> None:
    found = problems({"properties": {"keywords": {"items": {"maxLength": 1}}}}, {"keywords": ["long"] * 1000})
    assert len(found) == 21
    assert found[-1] == "more than 20 fields break chart.schema.json: these are the first"


@pytest.mark.parametrize(
    "schema",
    [
        {"$id": "https://example.com/chart.schema.json", "$defs": {"a": {"type": "object"}}, "$ref": "#/$defs/a"},
        {"$defs": {"a": {"$anchor": "here"}}, "$ref": "#here"},
        {"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"a": {}}, "$ref": "#/definitions/a"},
    ],
)
def test_a_schema_may_refer_to_its_own_parts(schema: object) -> None:
    assert problems(schema) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "chart.schema.json is not JSON: "),
        ("[" * 100_000, "chart.schema.json is not JSON: "),
        ("true", "chart.schema.json is no JSON object: write a schema"),
        ('{"type": "text"}', "chart.schema.json is no JSON Schema: type: 'text' is not valid"),
        (
            '{"properties": {"name": {"pattern": "("}}}',
            "is no JSON Schema: properties.name.pattern: '(' is not a 'regex'",
        ),
        ('{"$ref": "#"}', "chart.schema.json refers to itself in a circle: mend it"),
        ('{"$ref": "#/$defs/a"}', "refers to #/$defs/a, which is not in it: nothing is fetched"),
        (
            '{"properties": {"name": {"$ref": "https://evil.org/x"}}}',
            "refers to https://evil.org/x, which is not in it",
        ),
        (
            '{"properties": {"name": {"$ref": "file:///etc/passwd"}}}',
            "refers to file:///etc/passwd, which is not in it",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_and_nothing_fetched(
    text: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("something was to be fetched")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr("urllib.request.urlopen", refuse)
    with pytest.raises(PoliciesInvalid) as raised:
        parse_schema(text.encode(), "chart.schema.json")
    assert said in str(raised.value)


def test_a_circle_deeper_down_is_told_and_no_crash() -> None:
    (said,) = problems({"properties": {"name": {"$ref": "#/properties/name"}}})
    assert "leads in a circle here" in said
