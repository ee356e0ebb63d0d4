"""Index entries and documents: what PyYAML and a JSON reader make of them is what was put in."""

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from chartrepo.core import index
from chartrepo.core.index import Form

DIGEST = "ab" * 32
FORMS = list(Form)


@dataclass
class Listed:
    file: str
    text: str
    stable: bool = True


def rendered(form: Form, metadata: dict[str, Any], file: str = "app-1.0.0.tgz", prefix: str = "charts/") -> bytes:
    """A whole document with one version of one chart in it."""
    entry = index.entry(metadata, created=0, digest=DIGEST)
    text = entry.yaml if form is Form.YAML else entry.json
    block = index.block(form, str(metadata["name"]), [Listed(file, text)], url_prefix=prefix)
    frame = index.frame(form, generated=0, context_path="", empty=False)
    return b"".join(frame.document([block.data]))


def read(form: Form, document: bytes) -> dict[str, Any]:
    """What a reader makes of a document. One in JSON has to be the same in YAML."""
    as_yaml: dict[str, Any] = yaml.safe_load(document)
    if form is Form.JSON:
        assert json.loads(document) == as_yaml
    return as_yaml


def round_trip(metadata: dict[str, Any]) -> None:
    for form in FORMS:
        ((name, (entry,)),) = read(form, rendered(form, metadata))["entries"].items()
        assert name == metadata["name"]
        assert entry == {
            **metadata,
            "created": "1970-01-01T00:00:00Z",
            "digest": DIGEST,
            "urls": ["charts/app-1.0.0.tgz"],
        }


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
HARD = st.sampled_from(
    [
        *(
            "y",
            "n",
            "yes",
            "no",
            "on",
            "off",
            "true",
            "null",
            "~",
            "=",
            "<<",
            "1.10",
            "1e3",
            "08",
            "0o14",
            "-.5",
            ".inf",
        ),
        *("1:30", "2001-01-01", "", " ", "-", "?", ":", "- x", "a: b", "#", "&a", "*a", "!t", "|", ">", "%", "@", "`"),
        *("\x00", "\x07", "\t", "\n", "\r\n", "\x7f", "\x85", "\x9f", "\xa0", "\xad", "\u2028", "\u2029", "\ufeff"),
        *(
            "\ufffe",
            "\uffff",
            "\U0001fffe",
            "\U0010ffff",
            "🎉",
            "👩\u200d💻",
            '"',
            "\\",
            "\\/",
            "'",
            "\\u0041",
            "{}",
            "[]",
        ),
    ]
)
STRINGS = TEXT | HARD | st.builds("".join, st.lists(HARD | TEXT, max_size=4))


class TestEntries:
    @given(description=STRINGS, keyword=STRINGS, key=STRINGS, value=STRINGS)
    def test_every_text_comes_back_as_it_was(self, description: str, keyword: str, key: str, value: str) -> None:
        round_trip(
            {
                "name": "app",
                "version": "1.0.0",
                "description": description,
                "keywords": [keyword],
                "annotations": {key: value, "other": "x"},
            }
        )

    @given(name=STRINGS.filter(bool))
    def test_every_name_does_too(self, name: str) -> None:
        round_trip({"name": name, "version": "1.0.0"})

    @pytest.mark.parametrize("length", [990, 997, 998, 999, 1000, 1023, 1024, 1025, 5000])
    @pytest.mark.parametrize("character", ["k", "é", "\u2028", '"'])
    def test_keys_longer_than_yaml_s_implicit_ones_do_too(self, character: str, length: int) -> None:
        """In JSON they can be read as JSON only, as Helm does."""
        key = character * length
        metadata = {"name": key, "version": "1", "annotations": {key: "x", "after": "y"}}
        for document in (
            yaml.safe_load(rendered(Form.YAML, metadata)),
            json.loads(rendered(Form.JSON, metadata)),
        ):
            ((name, (entry,)),) = document["entries"].items()
            assert (name, entry["annotations"]) == (key, metadata["annotations"])

    @pytest.mark.parametrize("key", ["y", "Y", "no", "NO", "~", "=", "<<", "null", "on", "1", "", "a b", "-", "Off"])
    def test_keys_that_yaml_reads_as_something_else_stay_texts(self, key: str) -> None:
        round_trip({"name": key or "app", "version": "1", "annotations": {key: "x"}})

    def test_all_that_a_chart_can_say_comes_back(self) -> None:
        round_trip(
            {
                "name": "app",
                "home": "https://example.com/?a=b#c",
                "sources": ["https://example.com", "-"],
                "version": "1.2.3+build",
                "keywords": ["a", "1"],
                "maintainers": [{"name": "me", "email": "me@example.com"}, {"name": "no"}],
                "deprecated": True,
                "annotations": {"changes": "- one\n- two\n"},
                "dependencies": [
                    {"name": "db", "repository": "", "import-values": ["a", {"child": "x", "parent": "y"}, 1.5, None]},
                    {"name": "c", "repository": "", "enabled": True, "tags": ["t"], "import-values": [[], {}, [["x"]]]},
                ],
                "type": "application",
            }
        )

    def test_every_string_is_quoted_so_that_helm_takes_it_for_one(self) -> None:
        text = index.entry({"name": "app", "version": "1.10"}, created=0, digest="1e3").yaml
        assert text == (
            '  - name: "app"\n    version: "1.10"\n    created: "1970-01-01T00:00:00Z"\n    digest: "1e3"\n'
        )

    def test_json_has_nothing_that_yaml_does_not_read(self) -> None:
        text = index.entry({"name": "🎉/\x7f\u2028\ufeff", "version": "1"}, created=0, digest=DIGEST).json
        assert "🎉/" in text
        assert "\\/" not in text
        assert "\\ud83c" not in text.lower()
        assert "\\u007f\\u2028\\ufeff" in text

    @pytest.mark.parametrize(
        ("file", "url"),
        [
            ("app-1.0.0+build.tgz", "charts/app-1.0.0+build.tgz"),
            ("a b-1.tgz", "charts/a%20b-1.tgz"),
            ("ä-1.tgz", "charts/%C3%A4-1.tgz"),
            ("a#b?c%d-1.tgz", "charts/a%23b%3Fc%25d-1.tgz"),
            ('"<&>-1.tgz', "charts/%22%3C%26%3E-1.tgz"),
        ],
    )
    def test_addresses_are_escaped(self, file: str, url: str) -> None:
        for form in FORMS:
            (entry,) = read(form, rendered(form, {"name": "app", "version": "1"}, file))["entries"]["app"]
            assert entry["urls"] == [url]


def chart(form: Form, *versions: str) -> index.Block:
    listed = []
    for version in versions:
        entry = index.entry({"name": "app", "version": version}, created=0, digest=DIGEST)
        text = entry.yaml if form is Form.YAML else entry.json
        listed.append(Listed(f"app-{version}.tgz", text, stable="-" not in version))
    return index.block(form, "app", listed, url_prefix="charts/")


def versions_in(form: Form, data: bytes) -> list[str]:
    frame = index.frame(form, generated=0, context_path="", empty=False)
    return [entry["version"] for entry in read(form, b"".join(frame.document([data])))["entries"]["app"]]


@pytest.mark.parametrize("form", FORMS)
class TestNewest:
    @pytest.mark.parametrize(
        ("count", "expected"),
        [
            (1, ["3.0.0-b", "2.0.0"]),
            (2, ["3.0.0-b", "3.0.0-a", "2.0.0"]),
            (3, ["3.0.0-b", "3.0.0-a", "2.0.0"]),
            (4, ["3.0.0-b", "3.0.0-a", "2.0.0", "1.0.0"]),
            (99, ["3.0.0-b", "3.0.0-a", "2.0.0", "1.0.0"]),
        ],
    )
    def test_the_newest_stable_one_is_always_among_them(self, form: Form, count: int, expected: list[str]) -> None:
        block = chart(form, "3.0.0-b", "3.0.0-a", "2.0.0", "1.0.0")
        assert versions_in(form, block.newest(count)) == expected

    def test_it_can_be_the_oldest_of_all(self, form: Form) -> None:
        assert versions_in(form, chart(form, "3.0.0-b", "3.0.0-a", "1.0.0").newest(1)) == ["3.0.0-b", "1.0.0"]

    def test_where_none_is_stable_there_is_none(self, form: Form) -> None:
        assert versions_in(form, chart(form, "2.0.0-b", "2.0.0-a").newest(1)) == ["2.0.0-b"]

    def test_all_is_the_whole_block(self, form: Form) -> None:
        block = chart(form, "2.0.0", "1.0.0")
        assert block.newest(2) is block.data

    def test_a_block_s_digest_is_that_of_its_content(self, form: Form) -> None:
        block = chart(form, "1.0.0")
        assert block.digest == sha256(block.data).digest()
        assert block.digest != chart(form, "1.0.1").digest


@pytest.mark.parametrize("form", FORMS)
class TestFrames:
    def test_an_empty_index_says_so(self, form: Form) -> None:
        frame = index.frame(form, generated=0, context_path="", empty=True)
        assert read(form, b"".join(frame.document([]))) == {
            "apiVersion": "v1",
            "generated": "1970-01-01T00:00:00Z",
            "entries": {},
        }

    @pytest.mark.parametrize("path", ["/charts", "/a/b", "/y"])
    def test_the_context_path_is_told(self, form: Form, path: str) -> None:
        frame = index.frame(form, generated=0, context_path=path, empty=True)
        assert read(form, b"".join(frame.document([])))["serverInfo"] == {"contextPath": path}

    def test_charts_stand_one_after_the_other(self, form: Form) -> None:
        blocks = [index.block(form, name, [_listed(form, name)], url_prefix="charts/").data for name in ("a", "b", "c")]
        frame = index.frame(form, generated=0, context_path="", empty=False)
        assert list(read(form, b"".join(frame.document(blocks)))["entries"]) == ["a", "b", "c"]


def _listed(form: Form, name: str) -> Listed:
    entry = index.entry({"name": name, "version": "1"}, created=0, digest=DIGEST)
    return Listed(f"{name}-1.tgz", entry.yaml if form is Form.YAML else entry.json)


def test_times_are_whole_seconds_in_utc() -> None:
    assert index.timestamp(1_700_000_000) == "2023-11-14T22:13:20Z"
    assert index.timestamp(0) == "1970-01-01T00:00:00Z"
