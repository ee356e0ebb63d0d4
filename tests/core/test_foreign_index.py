"""Indexes that others made."""

import json
from typing import Any

import pytest

from chartrepo.core.foreign_index import InvalidIndexError, Release, entries, releases, seconds

DIGEST = "ab" * 32
APP = Release("app", "1.0.0", "app-1.0.0.tgz", DIGEST, 1_600_000_000)

YAML = f"""
apiVersion: v1
generated: "2024-01-01T00:00:00.123456789+02:00"
entries:
  app:
  - annotations:
      licenses: [Apache-2.0]
    created: "2020-09-13T12:26:40.123456789Z"
    dependencies:
    - name: lib
      versions: [1, 2]
    digest: {DIGEST}
    name: app
    urls:
    - app-1.0.0.tgz
    - https://mirror/app-1.0.0.tgz
    version: 1.0.0
"""


def document(**fields: Any) -> dict[str, Any]:
    app = {"name": "app", "version": "1.0.0", "urls": ["app-1.0.0.tgz"], "digest": DIGEST}
    return {"apiVersion": "v1", "entries": {"app": [{**app, "created": "2020-09-13T12:26:40Z", **fields}]}}


class TestReleases:
    def test_are_read_out_of_yaml(self) -> None:
        assert releases(YAML.encode()) == [APP]

    def test_are_read_out_of_json(self) -> None:
        assert releases(json.dumps(document()).encode()) == [APP]

    def test_are_read_out_of_yaml_that_begins_like_json(self) -> None:
        text = f"{{apiVersion: v1, entries: {{app: [{{version: 1.0.0, digest: {DIGEST}, urls: [app-1.0.0.tgz]}}]}}}}"
        assert [(each.name, each.version) for each in releases(text.encode())] == [("app", "1.0.0")]

    def test_are_read_behind_a_byte_order_mark(self) -> None:
        assert releases(b"\xef\xbb\xbf" + json.dumps(document()).encode()) == [APP]
        assert releases(b"\xef\xbb\xbf" + YAML.encode()) == [APP]

    @pytest.mark.parametrize(
        ("created", "told"),
        [
            ("garbage", "garbage"),
            ("2020-13-01T00:00:00Z", "2020-13-01T00:00:00Z"),
            (7, "7"),
            ("", ""),
            (None, ""),
            ("0001-01-01T00:00:00Z", ""),
        ],
    )
    def test_tell_what_stands_where_a_time_should(self, created: object, told: str) -> None:
        (release,) = releases(json.dumps(document(created=created)).encode())
        assert (release.created, release.not_a_time) == (None, told)

    def test_are_found_through_aliases(self) -> None:
        text = """
        common: &urls [a.tgz]
        entries:
          app:
          - &first {version: 1.0.0, name: app, urls: *urls}
          - *first
        """
        assert [(each.version, each.url) for each in releases(text.encode())] == [("1.0.0", "a.tgz")] * 2

    def test_have_their_version_as_it_is_written(self) -> None:
        text = YAML.replace("version: 1.0.0", "version: 1.10")
        assert releases(text.encode())[0].version == "1.10"

    def test_without_a_version_are_passed_over(self) -> None:
        found = document()
        found["entries"]["app"] += [{"name": "app"}, None, "text", {"version": 1}]
        assert releases(json.dumps(found).encode()) == [APP]

    def test_are_called_like_their_chart_where_they_have_no_name(self) -> None:
        assert releases(json.dumps(document(name=None)).encode()) == [APP]

    @pytest.mark.parametrize("urls", [None, [], "app.tgz", [None]])
    def test_may_have_no_address(self, urls: object) -> None:
        assert releases(json.dumps(document(urls=urls)).encode())[0].url == ""

    def test_may_name_the_kind_of_their_digest(self) -> None:
        assert releases(json.dumps(document(digest=f"sha256:{DIGEST.upper()}")).encode()) == [APP]

    @pytest.mark.parametrize("nothing", ["entries: {}", "entries:", "entries: {app: }", '{"entries": null}'])
    def test_may_be_none(self, nothing: str) -> None:
        assert releases(nothing.encode()) == []

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", "the index is empty"),
            ("<html></html>", "has no entries"),
            ("apiVersion: v1", "has no entries"),
            ('{"apiVersion": "v1"}', "has no entries"),
            ("entries: [a]", "not lists"),
            ('{"entries": {"app": 1}}', "not lists"),
            ("entries: {app: {}}", "not lists"),
            ("entries: {app: [", "not YAML in line 2: did not find"),
            ("entries:\n  app:\n  - &a " + "[" * 200, "nested deeper"),
        ],
    )
    def test_that_are_none_are_refused(self, text: str, reason: str) -> None:
        with pytest.raises(InvalidIndexError, match=reason):
            releases(text.encode())

    def test_that_are_not_utf_8_are_refused(self) -> None:
        with pytest.raises(InvalidIndexError):
            releases(b"entries: {app: [{version: '\xff'}]}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2020-09-13T12:26:40Z", 1_600_000_000),
        ("2020-09-13T14:26:40.999999999+02:00", 1_600_000_000),
        ("2020-09-13 12:26:40", 1_600_000_000),
        ("0001-01-01T00:00:00Z", None),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_times_are_seconds(text: str | None, expected: int | None) -> None:
    assert seconds(text) == expected


class TestEntries:
    def test_have_all_fields_of_their_chart(self) -> None:
        text = """
        entries:
          app:
          - {name: app, version: 1.0.0, deprecated: true, icon: ~, annotations: {enabled: "true"},
             dependencies: [{name: lib, enabled: false, import-values: [a]}]}
        """
        assert list(entries(text.encode())) == [
            (
                "app",
                {
                    "name": "app",
                    "version": "1.0.0",
                    "deprecated": True,
                    "annotations": {"enabled": "true"},
                    "dependencies": [{"name": "lib", "enabled": False, "import-values": ["a"]}],
                },
            )
        ]

    def test_of_json_are_as_they_are(self) -> None:
        found = document(deprecated=True)
        assert list(entries(json.dumps(found).encode())) == [("app", found["entries"]["app"][0])]
