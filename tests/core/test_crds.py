"""Custom resource definitions: found in files, and read."""

from contextlib import suppress
from textwrap import indent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chartrepo.core.crds import Summary, find_definitions, is_installed, is_templated, read_definition
from chartrepo.core.errors import PackageRefused
from tests.support.endless import must_end

WIDGET = """\
# made by hand
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: widgets.example.com
spec:
  group: example.com
  names:
    kind: Widget
    plural: widgets
    shortNames: [wd]
  scope: Namespaced
  versions:
  - additionalPrinterColumns:
    - jsonPath: .spec.size
      name: Size
      type: string
    name: v1alpha1
    served: false
    deprecated: true
    storage: false
    schema: {openAPIV3Schema: {properties: {old: {type: string}}}}
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        description: A widget.
        properties:
          spec:
            type: object
            required: [size]
            properties:
              size:
                description: How large it is.
                enum: [small, large]
                type: string
              ports:
                type: array
                items:
                  type: object
                  properties:
                    port: {x-kubernetes-int-or-string: true}
              labels:
                type: object
                additionalProperties: {type: string}
              replicas: {type: integer, format: int32, default: 1}
---
apiVersion: v1
kind: ConfigMap
"""


def test_a_definition_is_found_by_its_lines() -> None:
    assert find_definitions("crds/w.yaml", WIDGET, templated=False) == [
        Summary("crds/w.yaml", 1, "Widget", "example.com", ("v1alpha1", "v1"), "Namespaced", templated=False)
    ]


def test_so_is_one_whose_lists_are_indented_or_that_is_written_otherwise() -> None:
    begin, end = WIDGET.index("  - additional"), WIDGET.index("---\napiVersion: v1\n")
    indented = WIDGET[:begin] + indent(WIDGET[begin:end], "  ") + WIDGET[end:]
    assert find_definitions("c.yaml", indented, templated=True)[0].versions == ("v1alpha1", "v1")
    as_json = (
        '{"kind": "CustomResourceDefinition", "spec": {"group": "g", "scope": "Cluster", "names": {"kind": "K"},'
        '"versions": [{"name": "v2"}]}}'
    )
    assert find_definitions("c.json", as_json, templated=False) == [
        Summary("c.json", 0, "K", "g", ("v2",), "Cluster", templated=False)
    ]
    flow = "kind: CustomResourceDefinition\nspec: {group: g, version: v1beta1, scope: Cluster, names: {kind: K}}\n"
    assert find_definitions("c.yaml", flow, templated=False)[0][2:6] == ("K", "g", ("v1beta1",), "Cluster")


def test_a_definition_is_read_as_a_whole() -> None:
    found = read_definition(WIDGET, 1, templated=False)
    assert (found.name, found.plural, found.short) == ("widgets.example.com", "widgets", ("wd",))
    assert (found.version, found.description) == ("v1", "A widget.")
    assert [(each.name, each.served, each.storage, each.deprecated) for each in found.versions] == [
        ("v1alpha1", False, False, True),
        ("v1", True, True, False),
    ]
    (spec,) = found.fields
    assert [(each.path, each.type, each.required, each.default) for each in spec.below] == [
        ("spec.size", "string", True, ""),
        ("spec.ports", "list of object", False, ""),
        ("spec.labels", "map of string", False, ""),
        ("spec.replicas", "integer (int32)", False, "1"),
    ]
    assert spec.below[0].choices == ("small", "large")
    assert [(each.path, each.type) for each in spec.below[1].below] == [("spec.ports.port", "integer or string")]


def test_another_version_and_a_part_of_it_can_be_asked_for() -> None:
    assert [each.name for each in read_definition(WIDGET, 1, version="v1alpha1", templated=False).fields] == ["old"]
    below = read_definition(WIDGET, 1, at="spec.ports", templated=False)
    assert (below.at, [each.path for each in below.fields]) == ("spec.ports", ["spec.ports.port"])
    assert read_definition(WIDGET, 1, at="no.such", templated=False).at == ""


def test_one_among_templates_is_read_without_its_actions() -> None:
    text = WIDGET.replace("metadata:", "{{- if .Values.crds }}\nmetadata:").replace("widgets.ex", "{{ .x }}.ex")
    assert read_definition(text, 1, templated=True).name == "x.example.com"
    with pytest.raises(PackageRefused):
        read_definition(text, 1, templated=False)


def test_of_many_fields_some_are_left_out_and_can_be_asked_for() -> None:
    many = "".join(f"              k{number}: {{type: string}}\n" for number in range(395))
    text = WIDGET.replace("              replicas: {type: integer, format: int32, default: 1}\n", many)
    text = text.replace("port: {x-k", "a: {}\n                    b: {}\n                    port: {x-k")
    (spec,) = read_definition(text, 1, templated=False).fields
    assert len(spec.below) == 398
    ports = spec.below[1]
    assert (ports.below, ports.more) == ([], True)
    assert len(read_definition(text, 1, at=ports.path, templated=False).fields) == 3


@pytest.mark.parametrize(
    ("path", "installed", "templated"),
    [
        ("crds/a.yaml", True, False),
        ("crds/deep/a.yml", True, False),
        ("charts/x/crds/a.yaml", True, False),
        ("charts/x/charts/y/crds/a.json", True, False),
        ("crds/README.md", False, False),
        ("files/crds/a.yaml", False, False),
        ("templates/crds/a.yaml", False, True),
        ("charts/x/templates/a.yaml", False, True),
        ("charts/crds/a.yaml", False, False),
    ],
)
def test_helm_installs_those_in_their_folder(path: str, installed: bool, templated: bool) -> None:
    assert (is_installed(path), is_templated(path)) == (installed, templated)


LINES = st.lists(st.sampled_from([*WIDGET.splitlines(), "{{ x }}", "\t", "spec: [", "  versions:", "- a"]), max_size=40)


@given(LINES, st.booleans())
@settings(deadline=None, max_examples=300)
def test_whatever_is_written_is_taken(lines: list[str], templated: bool) -> None:
    text = "\n".join(lines)
    for found in find_definitions("x.yaml", text, templated=templated):
        with suppress(PackageRefused):
            read_definition(text, found.place, templated=templated)


HOSTILE = [
    "---\n" * 250_000 + "CustomResourceDefinition",
    "kind: CustomResourceDefinition\n---\n" * 30_000,
    "kind: CustomResourceDefinition\nspec:\n  versions:\n" + " " * 500_000 + "- x\n",
    "kind: CustomResourceDefinition\nspec:\n  names:\n" + "    a\n" * 150_000,
    "kind: CustomResourceDefinition\n" + "{{ a }} " * 100_000,
    "kind: CustomResourceDefinition\n" + "{{" * 500_000,
    "kind: CustomResourceDefinition\nspec: {versions: [{schema: {openAPIV3Schema: &a {properties: {"
    + ",".join(f"k{number}: {{description: {'x' * 40}}}" for number in range(12_000))
    + "}}}}]}\n",
    "kind: CustomResourceDefinition\nspec: " + "{a: " * 100_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_file_takes_long(text: str) -> None:
    with must_end():
        for found in find_definitions("crds/x.yaml", text, templated=False)[:3]:
            try:
                made = read_definition(text, found.place, templated=True)
            except PackageRefused:
                continue
            assert len(made.fields) <= 400
