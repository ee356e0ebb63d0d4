"""Two versions compared as a whole: their files, and the paragraph that says what differs."""

import io
import json
from hashlib import sha256
from typing import Any

import pytest

from chartrepo.core.archive import hold_files, read_package
from chartrepo.core.differing.comparison import Comparison, LineComparer, Side, compare
from chartrepo.core.differing.document import as_json
from chartrepo.core.differing.files import Became, Group, group_of
from chartrepo.core.differing.summary import summarise
from tests.support.packages import package


def side(version: str = "1.0.0", *, keep: int = 1024 * 1024, **others: Any) -> Side:
    data = package(version=version, **others)
    chart = read_package(io.BytesIO(data)).chart
    held = hold_files(io.BytesIO(data), each=keep, together=8 * keep)
    return Side(chart.version, sha256(data).hexdigest(), chart.metadata, held)


def compared(old: dict[str, Any], new: dict[str, Any]) -> Comparison:
    return compare(side(**{"version": "1.0.0", **old}), side(**{"version": "1.1.0", **new}))


def said(old: dict[str, Any], new: dict[str, Any]) -> str:
    return summarise(compared(old, new)).text


def files(**contents: str | bytes) -> dict[str, Any]:
    return {"files": {path.replace("__", "/"): text for path, text in contents.items()}}


class TestFiles:
    def test_what_a_file_is_for_is_told_by_its_path(self) -> None:
        paths = (
            "templates/a.yaml",
            "crds/a.yaml",
            "README.md",
            "values.schema.json",
            "Chart.lock",
            "charts/a/x",
            "LICENSE",
        )
        assert [group_of(path) for path in paths] == list(Group)

    def test_files_come_go_and_change(self) -> None:
        found = compared(
            {"files": {"templates/a.yaml": "a\n", "templates/b.yaml": "b\n"}},
            {"files": {"templates/b.yaml": "bb\n", "templates/c.yaml": "c\n"}},
        ).of(Group.TEMPLATES)
        assert [(file.path, file.became) for file in found] == [
            ("templates/a.yaml", Became.REMOVED),
            ("templates/b.yaml", Became.CHANGED),
            ("templates/c.yaml", Became.ADDED),
        ]

    def test_a_file_with_the_same_bytes_elsewhere_was_renamed(self) -> None:
        (file,) = compared({"files": {"templates/a.yaml": "abc\n"}}, {"files": {"templates/b.yaml": "abc\n"}}).of(
            Group.TEMPLATES
        )
        assert file.became is Became.RENAMED
        assert file.is_same
        assert file.old is not None
        assert file.old.path == "templates/a.yaml"

    def test_so_was_one_with_most_of_its_lines(self) -> None:
        lines = [f"line: {number}" for number in range(20)]
        old, new = "\n".join(lines), "\n".join([*lines[:15], "another: 1"])
        (file,) = compared({"files": {"templates/a.yaml": old}}, {"files": {"templates/b.yaml": new}}).of(
            Group.TEMPLATES
        )
        assert (file.became, file.is_same) == (Became.RENAMED, False)
        found = LineComparer().compare(file)
        assert found is not None
        assert (found.removed, found.added) == (5, 1)

    def test_binary_files_have_no_lines(self) -> None:
        (file,) = compared({"files": {"templates/a.bin": b"\0\1"}}, {"files": {"templates/a.bin": b"\xff\xfe"}}).of(
            Group.TEMPLATES
        )
        assert file.texts is None
        assert LineComparer().compare(file) is None

    def test_files_that_are_too_large_to_keep_are_told_by_size_and_digest(self) -> None:
        def big(letter: str, version: str) -> Side:
            return side(version, keep=1000, files={"big.txt": letter * 5000, "same.txt": "s" * 5000})

        found = compare(big("a", "1.0.0"), big("b", "1.1.0"))
        (file,) = found.of(Group.OTHER)
        told = as_json(found)["other_files"][0]
        assert file.path == "big.txt"
        assert told["from"] == {"size": 5000, "digest": sha256(b"a" * 5000).hexdigest()}
        assert told["to"] == {"size": 5000, "digest": sha256(b"b" * 5000).hexdigest()}

    def test_all_lines_together_cost_no_more_than_what_there_is_to_spend(self) -> None:
        text, other = "ab\ncd\n" * 500, "cd\nab\nab\n" * 400
        old = {f"templates/{number}.yaml": f"{number}\n{text}" for number in range(60)}
        new = {path: f"x\n{other}{path}" for path in old}
        comparer = LineComparer(steps=300_000)
        found = [comparer.compare(file) for file in compared({"files": old}, {"files": new}).of(Group.TEMPLATES)]
        assert comparer._left >= 0
        assert any(each is not None and not each.complete for each in found)


class TestInWords:
    def test_as_the_issue_has_it(self) -> None:
        old = files(**{"values.yaml": "replicaCount: 1\n"}) | {"dependencies": [{"name": "redis", "version": "18"}]}
        new = files(**{"values.yaml": "replicaCount: 2\na: 1\nb: 1\nc: 1\nd: {e: 1}\n"}) | {
            "dependencies": [{"name": "redis", "version": "19"}]
        }
        assert said(old, new) == (
            "dependency redis 18 to 19 (major); 4 values added: `a`, `b`, `c` and 1 more; "
            "1 default changed: `replicaCount` 1 to 2."
        )

    def test_what_may_break_comes_first(self) -> None:
        old = files(**{"values.yaml": "a: 1\nb: {x: 1, y: {z: 2}}\nc: 1\n"}) | {
            "appVersion": "1.9",
            "kubeVersion": ">=1.20",
            "home": "https://a.example",
        }
        new = files(**{"values.yaml": "a: 2\nc: text\n"}) | {"appVersion": "2.0", "kubeVersion": ">=1.25"}
        summary = summarise(compared(old, new))
        assert [clause.text for clause in summary.breaking] == [
            "2 values removed: `b`",
            "1 value of another type: `c`",
            "app version 1.9 to 2.0 (major)",
            "kubeVersion narrowed: >=1.20 to >=1.25",
        ]
        assert [clause.text for clause in summary.others] == [
            "1 default changed: `a` 1 to 2",
            "1 other field of Chart.yaml changed: `home`",
        ]

    def test_moved_values_are_told_from_where_to_where(self) -> None:
        old, new = "a: {p: 1, q: {r: 2}}\n", "b: {p: 1, q: {r: 2}}\n"
        assert said(files(**{"values.yaml": old}), files(**{"values.yaml": new})) == "2 values moved: `a` to `b`."

    def test_files_are_counted_by_what_became_of_them(self) -> None:
        old = {"files": {"templates/a.yaml": "a\n", "templates/b.yaml": "b\n", "LICENSE": "x", "README.md": "r\n"}}
        new = {"files": {"templates/b.yaml": "bb\n", "templates/c.yaml": "c\n", "LICENSE": "y", "README.md": "s\n"}}
        assert said(old, new) == "1 template removed, 1 changed, 1 added; README changed; 1 other file changed."

    def test_nothing_but_the_version(self) -> None:
        assert said({}, {}) == "Nothing changed but the version."

    def test_going_back(self) -> None:
        assert said({"version": "2.0.0"}, {}) == (
            "This goes back: 2.0.0 is newer than 1.1.0. Nothing changed but the version."
        )

    def test_the_same_bytes(self) -> None:
        assert said({"version": "1.0.0"}, {"version": "1.0.0"}) == "Both are the same package, byte for byte."

    def test_the_same_but_for_the_packing(self) -> None:
        one = side()
        other = Side(one.version, "0" * 64, one.metadata, one.files)
        assert summarise(compare(one, other)).text == "Nothing differs but how the two were packed."

    def test_values_that_are_written_otherwise(self) -> None:
        found = said(files(**{"values.yaml": "a: 1\n"}), files(**{"values.yaml": "'a':   1\n"}))
        assert found == "`values.yaml` is written otherwise, to the same effect."

    def test_empty_and_long_defaults(self) -> None:
        old = files(**{"values.yaml": "a: ''\nb: x\nc: ' '\n"})
        new = files(**{"values.yaml": f"a: w\nb: {'z' * 100}\nc: 'true'\n"})
        assert said(old, new) == f'3 defaults changed: `a` empty to w, `b` x to {"z" * 40}…, `c` " " to "true".'

    def test_many_dependencies_are_not_all_named(self) -> None:
        new = {"dependencies": [{"name": f"d{number}", "version": "1"} for number in range(9)]}
        assert said({}, new).endswith("dependency d2 1 added; 6 more dependencies changed.")


class TestHostile:
    @pytest.mark.parametrize(
        "values",
        [
            pytest.param(b"\0", id="no YAML"),
            pytest.param(b"a: " + b"[" * 5_000, id="deep"),
            pytest.param(b"a: &a [1]\nb: [*a, *a]\n" + b"\xff", id="no UTF-8"),
        ],
    )
    def test_values_that_cannot_be_read_are_told_to_be_so(self, values: bytes) -> None:
        one = side()
        files = {**one.files, "values.yaml": one.files["values.yaml"].__class__("values.yaml", len(values), values)}
        found = compare(one, Side("2.0.0", "0" * 64, one.metadata, files))
        assert found.values == ()
        assert found.values_unread
        assert "cannot be compared key by key" in summarise(found).text
        json.dumps(as_json(found))

    def test_a_thousand_files_with_odd_names(self) -> None:
        odd = {f"templates/\u202e{number}\u2066.yaml": f"{number}\n" for number in range(1_000)}
        found = compared({}, {"files": odd})
        assert len(found.of(Group.TEMPLATES)) == 1_000
        assert len(as_json(found)["templates"]) == 1_000

    def test_a_document_has_no_more_lines_than_it_may(self) -> None:
        found = compared({}, {"files": {f"templates/{n}.yaml": "a: b\n" * 6_000 for n in range(5)}})
        told = as_json(found)["templates"]
        assert sum(len(hunk["lines"]) for file in told for hunk in file.get("hunks", ())) <= 20_000
        assert any(file.get("hunks_cut") for file in told)
