"""What we read in charts is what Helm reads in them."""

import io
import string
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chartrepo.core.archive import read_package
from chartrepo.core.scalars import InvalidYamlError
from chartrepo.core.yaml11 import Budget, check_values
from tests.support.helm import Helm
from tests.support.packages import Item, archive, chart_yaml, package
from tests.support.scalars import READ_AS

EVERY_FIELD = r"""
apiVersion: v2
name: every
version: v1.2.3-rc.1+build.5
kubeVersion: ">= 1.20.0-0 <2"
description: "tabs\tand\u00a0blanks \u200b and emoji 😀 and 'quotes' \"double\""
type: library
keywords: [a, 1, yes, ~, 1.10, "x\ty"]
home: https://example.com/?a=b&c=<d>
sources: [https://example.com/src, ""]
dependencies:
  - name: db
    version: ">=1.0"
    repository: https://example.com
    condition: db.enabled
    tags: [one, 2]
    enabled: true
    import-values: [data, {child: a, parent: b}, 1.10, 12345678901, true, ~, [x]]
    alias: cache_1
  - name: bare
  - {}
maintainers:
  - name: A. Person
    email: a@example.com
    url: https://example.com
  - {}
icon: https://example.com/icon.png
appVersion: 1.10
deprecated: on
condition: c
tags: t
annotations:
  z: last
  a: 1
  1.10: float key
  on: true
  empty: ~
  text: |
    several
    lines
  time: 2001-01-01
Unknown: {a: [1, 2]}
"""
RICH = {
    "every field": [("every/Chart.yaml", EVERY_FIELD)],
    "no more than needed": [("app/Chart.yaml", "name: app\nversion: 1.0.0\n")],
    "requirements": [
        ("app/Chart.yaml", chart_yaml(apiVersion="v1", dependencies=[{"name": "one", "alias": "a", "tags": ["t"]}])),
        ("app/requirements.yaml", "dependencies:\n- {name: two, repository: r}\n- {name: three, version: 1}\n"),
    ],
    "requirements over all": [
        ("app/Chart.yaml", chart_yaml(maintainers=[{"name": "n", "email": "e"}], keywords=["a", "b"])),
        ("app/requirements.yaml", "home: h\nmaintainers: [{name: m}]\nkeywords: [c]\nannotations: {a: b}\n"),
    ],
    "twice": [
        ("app/Chart.yaml", chart_yaml(description="one", annotations={"a": "1"}, appVersion="1")),
        ("app/Chart.yaml", "name: other\nversion: 2\nannotations: {b: 2}\nappVersion: ~\n"),
    ],
    "names without case": [("app/Chart.yaml", chart_yaml() + "NAME: upper\nappversion: a\nHOME: b\nhome: c\n")],
    "aliases and merges": [
        ("app/Chart.yaml", chart_yaml() + "x: &x {a: '1', b: '2'}\nannotations: {b: '0', <<: *x, c: &c d}\nhome: *c\n")
    ],
    "empty values": [("app/Chart.yaml", chart_yaml() + "keywords: []\nhome: ''\nannotations: {}\ndependencies: []\n")],
}  # fmt: skip


def indexed(helm: Helm, folder: Path) -> dict[str, Any]:
    """The one entry of the index that helm makes of a folder, without what a repository adds."""
    helm.run("repo", "index", folder)
    index = yaml.safe_load((folder / "index.yaml").read_text())
    ((entry,),) = index["entries"].values()
    return {key: value for key, value in entry.items() if key not in {"urls", "created", "digest"}}


@pytest.mark.parametrize("items", RICH.values(), ids=RICH.keys())
def test_metadata_is_what_helm_writes_into_an_index(items: list[Item], helm: Helm, tmp_path: Path) -> None:
    data = archive(items)
    (tmp_path / "chart.tgz").write_bytes(data)

    assert read_package(io.BytesIO(data)).chart.metadata == indexed(helm, tmp_path)


def annotations(helm: Helm, values: dict[str, str]) -> dict[str, str]:
    """What helm makes of plain scalars, each as the value of an annotation."""
    lines = "".join(f"  {key}: {value}\n" for key, value in values.items())
    file = helm.home / "scalars.tgz"
    file.write_bytes(archive([("app/Chart.yaml", f"{chart_yaml()}annotations:\n{lines}")]))
    shown: dict[str, str] = yaml.load(helm.run("show", "chart", file).stdout, yaml.CBaseLoader)["annotations"]
    return shown


def test_helm_reads_the_scalars_of_the_table_so(helm: Helm) -> None:
    names = {f"a{number}": text for number, text in enumerate(READ_AS)}

    assert annotations(helm, names) == {name: READ_AS[text] for name, text in names.items()}


PLAIN = (
    st.text(alphabet="0123456789.eE+-_xXoObB", min_size=1, max_size=10)
    | st.integers().map(str)
    | st.floats().map(repr)
    | st.text(alphabet=string.ascii_letters + "~._<=", min_size=1, max_size=5)
).filter(lambda text: text.strip("-.") != "" and not text.startswith(("---", "...")))


@given(st.lists(PLAIN, min_size=300, max_size=300))
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
def test_helm_reads_any_scalar_as_we_do(helm: Helm, texts: list[str]) -> None:
    names = {f"a{number}": text for number, text in enumerate(texts)}
    lines = "".join(f"  {key}: {value}\n" for key, value in names.items())
    data = archive([("app/Chart.yaml", f"{chart_yaml()}annotations:\n{lines}")])

    assert read_package(io.BytesIO(data)).chart.metadata["annotations"] == annotations(helm, names)


VALUES = {
    "a: 1\n": True,
    "": True,
    "~\n": True,
    "a: 1\na: 2\n": True,
    "a: 1\n---\nb: 2\n": True,
    "a: &a {b: 1}\nc: {<<: *a}\nd: {<<: [*a, {e: 1}]}\n": True,
    "a: !unknown 1\nb: !!binary aGk=\n": True,
    'a: "it\\\'s"\n': True,
    "1: a\ntrue: b\n1.5: c\n": True,
    "- a\n": False,
    "text\n": False,
    "a: .inf\n": False,
    "a: .nan\n": False,
    "a: *b\n": False,
    "a: &a [*a]\n": False,
    "~: a\n": False,
    "[a]: b\n": False,
    "{a: b}: c\n": False,
    "a: {<<: 1}\n": False,
    "a: !!int foo\n": False,
    "a: !!float foo\n": False,
    "a: !!binary '?'\n": False,
    "a: {b: c?}\n": False,
    "%YAML 1.2\n---\na: 1\n": False,
    "a:\n\t- b\n": False,
    "a: [\n": False,
    "a: 1\n---\n- b\n": False,
    "a: 1\n---\nb: [\n": False,
    "a: 1\n--- # fine\nb: 2\n": True,
    "a: 1\n--- {b: 2}\n": False,
    "%YAML 1.1\n---\na: 1\n": False,
    "9223372036854775808: a\n": False,
    "a: &a [x, x, x, x, x, x, x, x, x]\n"
    + "".join(
        f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdef", "bcdefg", strict=True)
    ): False,
}
"""Texts of values.yaml, and whether both Helms load a chart with it."""


@pytest.mark.parametrize("text", VALUES)
def test_values_load_in_both_helms_or_are_refused(text: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    file = tmp_path / "app.tgz"
    file.write_bytes(package(files={"values.yaml": text}))
    loaded = []
    for major in (3, 4):
        helm = Helm(request.getfixturevalue(f"helm{major}"), tmp_path / str(major))
        loaded.append(helm.run("show", "chart", file, check=False).returncode == 0)
    try:
        check_values(text.encode(), Budget(10_000, 100))
    except InvalidYamlError:
        ours = False
    else:
        ours = True

    assert (ours, all(loaded)) == (VALUES[text], VALUES[text])
