"""What a schema says of single values."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chartrepo.core.errors import PackageRefused
from chartrepo.core.schema_outline import Outline, Rule
from tests.support.endless import must_end

SCHEMA: dict[str, Any] = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "required": ["image"],
    "properties": {
        "image": {"$ref": "#/definitions/image"},
        "replicas": {"type": ["integer", "null"], "default": 1, "minimum": 0, "description": "How many."},
        "mode": {"enum": ["fast", "safe", None], "title": "Mode", "deprecated": True},
        "servers": {"type": "array", "items": {"$ref": "#/$defs/server"}},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "either": {"oneOf": [{"type": "string"}, {"properties": {"below": {"type": "boolean"}}}]},
    },
    "definitions": {
        "image": {"type": "object", "required": ["tag"], "properties": {"tag": {"type": "string", "pattern": "^v"}}}
    },
    "$defs": {"server": {"allOf": [{"properties": {"name": {"type": "string"}}}, {"required": ["name"]}]}},
}


def outline(schema: Any = SCHEMA) -> Outline:
    return Outline(json.dumps(schema).encode())


def test_each_value_has_its_rule() -> None:
    schema = outline()
    assert schema.at(("replicas",)) == Rule(
        ("integer", "null"), description="How many.", default="1", bounds=("at least 0",)
    )
    assert schema.at(("mode",)) == Rule(title="Mode", choices=('"fast"', '"safe"', "null"), deprecated=True)
    assert schema.at(("image",)) == Rule(("object",), required=True)
    assert schema.at(("image", "tag")) == Rule(("string",), required=True, bounds=('matches "^v"',))
    assert schema.at(("servers", 3, "name")) == Rule(("string",), required=True)
    assert schema.at(("labels", "a.b")) == Rule(("string",))
    assert schema.at(("either", "below")) == Rule(("boolean",))
    assert schema.at(("nothing",)) is None
    assert schema.at(("image", "nothing", "below")) is None


def test_the_values_that_it_names_are_listed() -> None:
    assert [each.path for each in outline().listed()] == [
        "image", "image.tag", "replicas", "mode", "servers", "labels", "either", "either.below",
    ]  # fmt: skip


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"[" * 100_000, b"\xff", b'"text"', b"null"])
def test_what_is_no_schema_is_refused(data: bytes) -> None:
    with pytest.raises(PackageRefused, match=r"^values\.schema\.json"):
        Outline(data)


def test_only_the_document_itself_is_looked_at() -> None:
    elsewhere = {"properties": {"a": {"$ref": "https://example.com/s.json"}, "b": {"$ref": "file:///etc/passwd"}}}
    assert outline(elsewhere).at(("a",)) == Rule()


HOSTILE = {
    "itself": {"$ref": "#"},
    "round": {"properties": {"a": {"$ref": "#"}}, "allOf": [{"$ref": "#"}, {"$ref": "#"}]},
    "wide": {"allOf": [{"$ref": "#"}] * 10_000},
    "doubling": {
        "allOf": [{"$ref": "#/d/0"}] * 2,
        "d": [{"allOf": [{"$ref": f"#/d/{n + 1}"}] * 12, "properties": {"a": {"$ref": "#"}}} for n in range(40)],
    },
    "many": {"properties": {f"k{n}": {"properties": {"x": {}}} for n in range(20_000)}},
    "odd": {"properties": {"a": [1], "b": None, "c": {"type": {"x": 1}, "enum": 3, "required": "a", "$ref": 5}}},
    "deep reference": {"$ref": "#/" + "a/" * 900},
    "number": {"d": [], "$ref": "#/d/999999999999999999999999999"},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_schema_takes_long(name: str) -> None:
    with must_end():
        schema = outline(HOSTILE[name])
        listed = list(schema.listed())
        for number in range(200):
            schema.at(("a",) * (number % 12 + 1))
    assert len(listed) <= 3_000


ANY = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from(["#", "#/properties/a", "string", "a"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                ["properties", "items", "allOf", "$ref", "type", "enum", "required", "a", "default", "title", "minimum"]
            ),
            inner,
            max_size=5,
        ),
    ),
    max_leaves=25,
)


@given(st.dictionaries(st.sampled_from(["properties", "allOf", "$ref", "required", "items", "a"]), ANY, max_size=5))
@settings(deadline=None)
def test_any_json_is_taken(schema: dict[str, Any]) -> None:
    made = outline(schema)
    made.at(("a", 0, "a"))
    assert all(each.keys for each in made.listed())
