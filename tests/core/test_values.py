"""A chart's default values as JSON."""

import json
from typing import Any

import pytest

from chartrepo.core.errors import PackageRefused
from chartrepo.core.values import load_values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", {}),
        ("# nothing\n", {}),
        ("~", {}),
        ("a: 1\nb: [x, 2.5, null, true]\nc: {d: {}}\n", {"a": 1, "b": ["x", 2.5, None, True], "c": {"d": {}}}),
        ("a: &x {b: 1}\nc: *x\n", {"a": {"b": 1}, "c": {"b": 1}}),
        ("on: yes\n", {"true": True}),
        ("a: .inf\nb: -.inf\nc: .nan\n", {"a": None, "b": None, "c": None}),
        ("a: '🎉'\n", {"a": "🎉"}),
    ],
)
def test_they_are_what_helm_reads_and_can_be_written_as_json(text: str, values: dict[str, Any]) -> None:
    loaded = load_values(text.encode())
    assert loaded == values
    json.dumps(loaded, allow_nan=False)


@pytest.mark.parametrize("data", [b"a: [", b"\xff\xfe\xfa", b"a: *nobody"])
def test_what_helm_does_not_read_is_refused_by_its_file_s_name(data: bytes) -> None:
    with pytest.raises(PackageRefused, match=r"^values\.yaml"):
        load_values(data)
