"""Default values one by one: the same as Helm reads them, each under one path, with what the chart says of it."""

import re
import string
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from chartrepo.core.errors import PackageRefused
from chartrepo.core.value_paths import path_of
from chartrepo.core.values import load_values
from chartrepo.core.values_tree import Leaf, flatten, kind_of, outline
from tests.support.endless import must_end

# ---- paths


@pytest.mark.parametrize(
    ("keys", "path"),
    [
        (("image", "tag"), "image.tag"),
        (("servers", 0, "name"), "servers[0].name"),
        (("nodeSelector", "kubernetes.io/os"), r'nodeSelector."kubernetes\.io/os"'),
        (("a[0]",), r'"a\[0]"'),
        (("a b", "c=d,e"), r'"a b"."c\=d\,e"'),
        (("",), "''"),
        (("$(reboot)",), "'$(reboot)'"),
        (("it's", "x"), '"it\'s".x'),
        (("`'",), r"'`'\'''"),
        (("a\\b",), r"'a\\b'"),
        (("grid", 1, 0), "grid[1][0]"),
    ],
)
def test_a_path_is_what_helm_takes(keys: tuple[str | int, ...], path: str) -> None:
    assert path_of(keys) == path


KEYS = st.one_of(st.text(max_size=6), st.text(alphabet="a.[]0\\\"'$=, ", max_size=6))


@settings(deadline=None)
@given(st.lists(st.tuples(KEYS, st.integers(0, 3)), min_size=1, max_size=4), st.data())
def test_no_two_values_have_one_path(parts: list[tuple[str, int]], data: st.DataObject) -> None:
    def keys(pairs: list[tuple[str, int]]) -> tuple[str | int, ...]:
        return tuple(part for key, place in pairs for part in ((key, place) if place else (key,)))

    other = data.draw(st.lists(st.tuples(KEYS, st.integers(0, 3)), min_size=1, max_size=4))
    assert (path_of(keys(parts)) == path_of(keys(other))) == (keys(parts) == keys(other))


# ---- values


def rebuilt(data: bytes) -> Any:
    """What the leaves make together, by the keys of their entries."""
    root: dict[str, Any] = {}
    for entry in outline(data):
        at: Any = root
        for key in entry.keys[:-1]:
            at = at[key]
        value = ([] if entry.kind == "array" else {}) if entry.opens else entry.value
        if isinstance(at, list):
            assert entry.keys[-1] == len(at)
            at.append(value)
        else:
            at[entry.keys[-1]] = value
    return root


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**40), 2**40),
        st.floats(allow_nan=False, allow_infinity=False, width=32),
        st.text(alphabet=string.printable + "é🎉#", max_size=12),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.dictionaries(KEYS, JSON, max_size=6), st.booleans(), st.sampled_from([None, "|", '"', ">"]))
def test_all_that_helm_reads_is_in_one_leaf(values: dict[str, Any], flow: bool, style: str | None) -> None:
    text = yaml.safe_dump(values, default_flow_style=flow, default_style=style, allow_unicode=True, sort_keys=False)
    data = text.encode("utf-8", "surrogatepass")
    try:
        expected = load_values(data)
    except PackageRefused:
        with pytest.raises(PackageRefused):
            outline(data)
        return
    assert rebuilt(data) == expected
    flat = flatten(data)
    assert len(flat) == sum(not entry.opens for entry in outline(data))
    lines = re.split("\r\n|[\n\r\x85\u2028\u2029]", text)
    assert all(1 <= leaf.line <= len(lines) for leaf in flat.values())


LINES = st.lists(
    st.tuples(
        st.sampled_from(["", "  ", "    "]),
        st.sampled_from(
            ["# word", "a: 1", "b:", "- x", "- c: 2 # behind", "d: |", "e: &e {f: 1}", "g: *e", "<<: *e", "h: 'x", "i'",
             "? [a]", "@", "k: [1,", "2]", "1: x", "'1': y", "# -- told", "## @param a.b [array] said", "---",
             "\t# tab", "l: \"\\'\"", "{m: 1}: 2", "- - n", "- &n", "o: >- # text",
             "%YAML 1.1", "p: !!int 3", "...", "~: 1"]
        ),
    ),
    max_size=12,
)  # fmt: skip


@given(LINES)
@settings(max_examples=400, deadline=None)
def test_whatever_is_written_is_taken_as_helm_takes_it(lines: list[tuple[str, str]]) -> None:
    data = "".join(f"{indent}{text}\n" for indent, text in lines).encode()
    try:
        expected = load_values(data)
    except PackageRefused:
        with pytest.raises(PackageRefused):
            outline(data)
    else:
        assert rebuilt(data) == expected


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_taken_as_helm_takes_them(data: bytes) -> None:
    try:
        expected = load_values(data)
    except PackageRefused:
        return
    assert rebuilt(data) == expected


@settings(deadline=None)
@given(JSON)
def test_comments_change_no_value(value: Any) -> None:
    data = yaml.safe_dump({"a": value, "b": [value]}, sort_keys=False, allow_unicode=True)
    plain = rebuilt(data.encode("utf-8", "surrogatepass"))
    told = "# -- above\n" + data.rstrip("\n") + "\n# below"
    assert rebuilt(told.encode("utf-8", "surrogatepass")) == plain


# ---- comments


WRITTEN = b"""\
# A licence that is about nothing here.

# -- (int) How many there are.
# At least one.
# @default -- as many as nodes
replicas: 1
image:
  # -- where it is
  repository: nginx # from the hub
  tag: ""  # the chart's appVersion
## @section Other
## @param service.type [string] How it is reached
## @param service.ports [array, nullable]
##
service:
  type: ClusterIP
  ports: []
resources: {}
  # limits:
  #   cpu: 1

text: | # not the text
  # no comment
  x
nothing: # really
servers:
  # the first
  - name: a
  - b
list: # plain ones
  - x
nodeSelector:
  kubernetes.io/os: linux # "everywhere"
"""


def test_what_is_said_of_a_value_is_found() -> None:
    flat = flatten(WRITTEN)
    assert dict(flat) == {
        "replicas": Leaf(1, "How many there are.\nAt least one.", 6),
        "image.repository": Leaf("nginx", "where it is\nfrom the hub", 9),
        "image.tag": Leaf("", "the chart's appVersion", 10),
        "service.type": Leaf("ClusterIP", "How it is reached", 16),
        "service.ports": Leaf([], "", 17),
        "resources": Leaf({}, "limits:\n  cpu: 1", 18),
        "text": Leaf("# no comment\nx\n", "not the text", 22),
        "nothing": Leaf(None, "really", 25),
        "servers[0].name": Leaf("a", "", 28),
        "servers[1]": Leaf("b", "", 29),
        "list": Leaf(["x"], "plain ones", 30),
        'nodeSelector."kubernetes\\.io/os"': Leaf("linux", '"everywhere"', 33),
    }
    assert list(flat) == sorted(flat, key=lambda path: flat[path].line)
    entries = {entry.path: entry for entry in outline(WRITTEN)}
    assert entries["replicas"].comment.hint == "int"
    assert entries["replicas"].comment.default == "as many as nodes"
    assert entries["service.ports"].comment.hint == "array"
    assert entries["servers[0]"].comment.text == "the first"
    assert entries["servers"].opens


def test_what_an_alias_brings_stands_where_the_alias_does() -> None:
    flat = flatten(b"base: &base\n  a: 1 # one\nuse: *base\nmore:\n  <<: *base\n  b: 2\n")
    assert flat["use.a"] == Leaf(1, "one", 2)
    assert flat["more.a"] == Leaf(1, "", 4)
    assert flat["more.b"] == Leaf(2, "", 6)


def test_schemas_in_comments_are_not_shown() -> None:
    flat = flatten(b"# Said.\n# @schema\n# type: integer\n# @schema\na: 1\n# old.b -- Older\nold: {b: 1}\n")
    assert flat["a"].comment == "Said."
    assert flat["old.b"].comment == "Older"


def test_the_kinds_are_json_schema_s() -> None:
    values = [None, True, 1, 1.5, "", [], {}]
    assert [kind_of(value) for value in values] == [
        "null", "boolean", "integer", "number", "string", "array", "object",
    ]  # fmt: skip


# ---- hostile files

MIB = 1024 * 1024


@pytest.mark.parametrize(
    "data",
    [
        b"a: " + b"x" * (MIB - 3),
        b"# " + b"x" * (MIB - 2),
        b"a: " + b"&" * 500_000 + b"\n",
        b"a" * 1000 + b": 1\n" + b"#\n" * 500_000 + b"b: {" + b"c: 1, " * 5 + b"}\n",
        b"#\n" * 400_000 + b"{" + b"".join(b"k%d: 1, " % number for number in range(15_000)) + b"}",
        b"- " * 90 + b"a: 1",
        b"a: [" + b"1," * 500_000 + b"]",
        b"[" * 100_000,
        b"{" * 100_000,
        b"a:\n" + b"".join(b"%sa:\n" % (b" " * depth) for depth in range(1, 1400)),
        b"? " + b"k" * 500_000 + b"\n: {" + b"".join(b"k%d: 1, " % number for number in range(15_000)) + b"}",
        b"a: &a [x,x,x,x,x,x,x,x,x]\n"
        + b"".join(
            b"%c: &%c [%s]\n" % (98 + level, 98 + level, b",".join([b"*%c" % (97 + level)] * 9)) for level in range(9)
        ),
        b'a: "' + b"\\'" * 200_000 + b'"',
        b"a: !" + b"!" * 400_000 + b" x",
        b"## @param " + b"[" * 900_000 + b"\na: 1\n",
        b"# " + b"a." * 400_000 + b" -\na: 1\n",
        b"# -- (" + b"a " * 400_000 + b"\na: 1\n",
        (b"# " + b"a" * 30 + b" -- x\n") * 25_000 + b"a: 1\n",
        b"a:\r" * 300_000,
        "a:\u2028b: 1\u2029".encode() * 50_000,
    ],
    ids=lambda data: f"{data[:12]!r} {len(data)}",
)
def test_no_file_takes_long(data: bytes, request: pytest.FixtureRequest) -> None:
    with must_end():
        try:
            found = outline(data)
        except PackageRefused:
            found = []
    assert sum(len(entry.path) for entry in found) <= 4 * MIB


def test_what_is_too_large_is_refused_by_its_size() -> None:
    with pytest.raises(PackageRefused, match="1048577 bytes"):
        flatten(b"#" * (MIB + 1))
