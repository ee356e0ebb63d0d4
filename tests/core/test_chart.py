from typing import Any

import pytest

from chartrepo.core.chart import ChartVersion, Draft, lock_problems
from chartrepo.core.yaml11 import Budget, Value, load
from tests.support.packages import chart_yaml


def document(text: str) -> Value:
    return load(text.encode(), Budget(10_000, 50))


def draft(*texts: str) -> Draft:
    made = Draft()
    for text in texts:
        made.read_chart_yaml(document(text))
    return made


def problems(text: str) -> list[str]:
    return draft(text).problems()


def chart(text: str) -> ChartVersion:
    read = draft(text)
    assert read.problems() == []
    return read.finish()


def metadata(text: str) -> dict[str, Any]:
    return dict(chart(chart_yaml() + text).metadata)


def test_a_chart_version_has_what_an_index_needs() -> None:
    version = chart(chart_yaml(appVersion="2.0", description="A web server", keywords=["web", "http"]))

    assert (version.name, version.version, version.file) == ("app", "1.0.0", "app-1.0.0.tgz")
    assert (version.app_version, version.description, version.keywords) == ("2.0", "A web server", ("web", "http"))


def test_what_is_not_said_is_empty() -> None:
    version = chart(chart_yaml())

    assert (version.app_version, version.description, version.keywords) == ("", "", ())


def test_metadata_has_the_names_and_order_of_helm() -> None:
    given = """
type: application
dependencies:
- {alias: d, import-values: [data], enabled: true, tags: [t], condition: c, repository: r, version: v, name: n}
kubeVersion: ">=1.20"
annotations: {b: "2", a: "1"}
deprecated: true
appVersion: "1"
tags: t
condition: c
apiVersion: v2
icon: i
maintainers: [{url: u, email: e, name: n}]
keywords: [k]
description: d
version: 1.0.0
sources: [s]
home: h
name: app
"""
    found = chart(given).metadata

    assert list(found) == [
        *("name", "home", "sources", "version", "description", "keywords", "maintainers", "icon", "apiVersion"),
        *("condition", "tags", "appVersion", "deprecated", "annotations", "kubeVersion", "dependencies", "type"),
    ]
    assert list(found["maintainers"][0]) == ["name", "email", "url"]
    assert list(found["annotations"]) == ["a", "b"]
    assert list(found["dependencies"][0]) == [
        *("name", "version", "repository", "condition", "tags", "enabled", "import-values", "alias"),
    ]


def test_metadata_leaves_out_what_is_empty_or_unknown() -> None:
    text = "home: ''\nsources: []\nannotations: {}\ndeprecated: false\nicon: ~\nunknown: 1\n"

    assert metadata(text) == {"name": "app", "version": "1.0.0", "apiVersion": "v2"}


def test_a_dependency_always_has_name_and_repository() -> None:
    assert metadata("dependencies:\n- version: 1.0.0\n  tags: []\n  enabled: false\n")["dependencies"] == [
        {"name": "", "version": "1.0.0", "repository": ""}
    ]


def test_a_maintainer_may_be_without_anything() -> None:
    assert metadata("maintainers: [{}]\n")["maintainers"] == [{}]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("appVersion: 1.10\n", {"appVersion": "1.1"}),
        ("appVersion: 2001-01-01\n", {"appVersion": "2001-01-01"}),
        ("annotations: {1: 2, on: off, ~x: ~}\n", {"annotations": {"1": "2", "true": "false", "~x": ""}}),
        ("keywords: [1, yes, ~, x]\n", {"keywords": ["1", "true", "", "x"]}),
        ("maintainers: [{name: 1}]\n", {"maintainers": [{"name": "1"}]}),
        ("deprecated: yes\n", {"deprecated": True}),
    ],
)
def test_fields_of_text_take_any_scalar(text: str, expected: dict[str, Any]) -> None:
    assert metadata(text).items() >= expected.items()


def test_import_values_keep_their_types() -> None:
    text = "dependencies:\n- name: db\n  import-values: [1, 1.5, 1e3, yes, ~, {b: [2], a: x}]\n"

    (found,) = metadata(text)["dependencies"]

    assert found["import-values"] == [1, 1.5, 1000, True, None, {"a": "x", "b": [2]}]
    assert list(found["import-values"][-1]) == ["a", "b"]


def test_names_of_fields_are_read_without_case_and_the_one_that_sorts_last_wins() -> None:
    found = metadata("APPVERSION: '1'\nappversion: '2'\nhome: a\nHome: b\n")

    assert (found["appVersion"], found["home"]) == ("2", "a")


def test_texts_are_sanitised_as_in_helm() -> None:
    text = 'description: "a\\tb\\u00a0c\\u200bd\\x07e\\n"\nkeywords: ["a\\u2028b"]\n'
    text += 'annotations: {a: "x\\ty"}\ndependencies: [{name: "d\\tb", tags: ["\\u200b"]}]\n'
    text += 'maintainers: [{name: "a\\tb"}]\n'

    found = metadata(text)

    assert found["description"] == "a b cde "
    assert found["keywords"] == ["a b"]
    assert found["annotations"] == {"a": "x\ty"}
    assert found["dependencies"] == [{"name": "d b", "repository": "", "tags": [""]}]
    assert found["maintainers"] == [{"name": "a b"}]


def test_no_api_version_means_v1() -> None:
    assert chart("name: app\nversion: 1.0.0\n").metadata["apiVersion"] == "v1"


def test_all_problems_are_told_at_once_and_in_the_order_of_helm() -> None:
    text = """
name: a/b
version: 1.2.3.4
type: Library
deprecated: "true"
maintainers: [~]
dependencies: [~, {name: db}, {name: db}, {name: x, alias: a.b}]
"""
    found = problems(text)

    assert [problem.split(" ")[1] for problem in found] == [
        *("deprecated", "name", "version", "type", "maintainers[0]", "dependencies[0]", "dependencies[2]"),
        "dependencies[3].alias",
    ]
    assert all(problem.startswith("Chart.yaml: ") and ": " in problem[12:] for problem in found)


def test_the_message_about_a_version_names_file_field_value_and_remedy() -> None:
    assert problems(chart_yaml(version="1.2.3.4")) == [
        "Chart.yaml: version '1.2.3.4' is not a semantic version: use three numbers, as 1.2.3 or 1.2.3-rc.1"
    ]


def test_what_is_missing_is_named() -> None:
    assert problems("{}") == [
        "Chart.yaml: name is missing: write name: and the chart's name",
        "Chart.yaml: version is missing: write three numbers, as version: 1.2.3",
    ]


def test_what_has_the_wrong_type_is_not_called_missing_too() -> None:
    found = problems("name: [app]\nversion: {a: 1}\n")

    assert len(found) == 2
    assert found[0].startswith("Chart.yaml: name holds a list where a text belongs")
    assert found[1].startswith("Chart.yaml: version holds a mapping where a text belongs")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("home: {}\n", "home holds a mapping where a text belongs"),
        ("keywords: web\n", "keywords holds the text 'web' where a list belongs"),
        ("keywords: [[a]]\n", "keywords[0] holds a list where a text belongs"),
        ("maintainers: [me]\n", "maintainers[0] holds the text 'me' where lines as 'name: value' belong"),
        ("maintainers: [{name: []}]\n", "maintainers[0].name holds a list where a text belongs"),
        ("annotations: [a]\n", "annotations holds a list where keys with texts belong"),
        ("annotations: {a: {b: c}}\n", "annotations 'a' holds a mapping where a text belongs"),
        ("deprecated: 1\n", "deprecated holds the number '1': write true or false"),
        ("dependencies: [{enabled: 'on'}]\n", "dependencies[0].enabled holds the text 'on': write true or false"),
        ("dependencies: [{tags: a}]\n", "dependencies[0].tags holds the text 'a' where a list belongs"),
        ("dependencies: [{import-values: [.inf]}]\n", "dependencies[0].import-values[0] holds '.inf', a number that"),
        ("unknown: [.nan]\n", "unknown holds '.nan', a number that JSON does not have"),
        ("type: Application\n", "type 'Application' is not known"),
        ("name: .\n", "name '.' names a folder"),
    ],
)
def test_each_problem_names_its_field_and_value(text: str, words: str) -> None:
    (found,) = problems(chart_yaml() + text)

    assert words in found


@pytest.mark.parametrize("text", ["- a\n", "text\n", "1\n"])
def test_a_chart_yaml_that_is_no_mapping_is_refused(text: str) -> None:
    assert "where lines as 'name: value' belong" in problems(text)[0]


def test_values_in_messages_are_cut_and_stay_on_one_line() -> None:
    (found,) = problems(chart_yaml(type="a\n" * 500))

    assert found.isprintable()
    assert len(found) < 250


def test_an_alias_stands_in_for_the_name_of_a_dependency() -> None:
    assert problems(chart_yaml(dependencies=[{"name": "db"}, {"name": "db", "alias": "cache"}])) == []
    assert problems(chart_yaml(dependencies=[{"name": "db"}, {"name": "web", "alias": "db"}])) != []


@pytest.mark.parametrize(
    ("version", "expected"), [("v9", "apiVersion 'v9' is not known to Helm 4"), ("v2", ""), ("v1", "")]
)
def test_helm_4_installs_what_it_knows(version: str, expected: str) -> None:
    read = draft(chart_yaml(apiVersion=version))

    assert read.problems() == []
    assert expected in "".join(read.problems_of_installing())


def reservations(text: str) -> list[str]:
    read = draft(text)
    assert read.problems() == []
    return list(read.reservations())


@pytest.mark.parametrize(
    ("name", "version", "words"),
    [
        ("yes", "1.0.0", "name 'yes' is written without quotes, so that Helm reads it as 'true'"),
        ("0x10", "1.0.0", "name '0x10' is written without quotes, so that Helm reads it as '16'"),
        ("app", "1.10", "version '1.10' is written without quotes, so that Helm reads it as '1.1'"),
        (".chartrepo", "1.0.0", "name '.chartrepo' begins as the server's own files do"),
        ("a\\b", "1.0.0", "name 'a\\\\b' has a backslash"),
        ("a" * 240, "1.0.0", "make a file name of 250 bytes, and 240 is the most"),
        ("ü" * 120, "1.0.0", "make a file name of 250 bytes, and 240 is the most"),
    ],
)
def test_what_nobody_means_is_reserved(name: str, version: str, words: str) -> None:
    (found,) = reservations(f"apiVersion: v2\nname: {name}\nversion: {version}\n")

    assert words in found


@pytest.mark.parametrize(("name", "version"), [("true", "1.2"), ("12", "1"), ("'yes'", "'1.10'"), ("a" * 230, "1.0.0")])
def test_what_reads_as_it_is_written_is_not_reserved(name: str, version: str) -> None:
    assert reservations(f"apiVersion: v2\nname: {name}\nversion: {version}\n") == []


def test_a_second_chart_yaml_decodes_over_the_first_as_go_does() -> None:
    first = chart_yaml(keywords=["a", "b"], maintainers=[{"name": "n", "email": "e"}], annotations={"a": "1"})
    second = "name: ~\nhome: h\nkeywords: [c]\nmaintainers: [{name: m}]\nannotations: {b: '2'}\nversion: 2.0.0\n"
    read = draft(first, second)

    assert read.problems() == []
    assert read.finish().metadata == {
        "name": "app",
        "home": "h",
        "version": "2.0.0",
        "keywords": ["c"],
        "maintainers": [{"name": "m", "email": "e"}],
        "apiVersion": "v2",
        "annotations": {"a": "1", "b": "2"},
    }


def test_requirements_bring_dependencies() -> None:
    read = draft(chart_yaml(apiVersion="v1"))

    assert read.read_requirements(document("dependencies:\n- {name: db, version: 1.x, repository: r}\n")) == []
    assert read.problems() == []
    assert read.finish().metadata["dependencies"] == [{"name": "db", "version": "1.x", "repository": "r"}]


def test_requirements_that_change_other_fields_say_which() -> None:
    read = draft(chart_yaml())

    assert read.read_requirements(document("name: other\nversion: 1.0.0\nhome: h\ndependencies: []\n")) == [
        "home",
        "name",
    ]


def test_problems_of_requirements_and_of_subcharts_name_their_file() -> None:
    read = Draft("charts/db/")
    read.read_chart_yaml(document("name: db\nversion: x\n"))
    read.read_requirements(document("dependencies: x\n"))

    assert [problem.partition(": ")[0] for problem in read.problems()] == [
        "charts/db/requirements.yaml",
        "charts/db/Chart.yaml",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "generated: 2024-01-31T12:00:00Z\ndigest: sha256:00\ndependencies: []\n",
        "generated: '2024-01-31T12:00:00.123456789+02:00'\n",
        "generated: ~\ndigest: 1\n",
    ],
)
def test_a_lock_reads_as_in_helm(text: str) -> None:
    assert lock_problems(document(text), "Chart.lock") == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "Chart.lock holds a list"),
        ("generated: yesterday\n", "Chart.lock: generated holds the text 'yesterday'"),
        ("generated: 2024-02-30T12:00:00Z\n", "generated"),
        ("generated: 2024-01-31 12:00:00\n", "generated"),
        ("generated: 2024\n", "generated holds the number '2024'"),
        ("dependencies: [a]\n", "dependencies[0]"),
    ],
)
def test_a_lock_that_helm_refuses_is_refused(text: str, words: str) -> None:
    (found,) = lock_problems(document(text), "Chart.lock")

    assert words in found
