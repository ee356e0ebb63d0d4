"""What differs between custom resource definitions."""

import json
from typing import Any

from chartrepo.core.archive import Held
from chartrepo.core.differing.crds import CrdComparison, compare_crds, is_crd_file


def definition(name: str = "foos.example.com", **versions: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": name},
        "spec": {
            "versions": [
                {"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
                for version, schema in versions.items()
            ]
        },
    }


def schema(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"spec": {"type": "object", "required": list(required), "properties": properties}},
    }


def compared(old: dict[str, Any] | bytes | None, new: dict[str, Any] | bytes | None) -> CrdComparison:
    def files(value: dict[str, Any] | bytes | None) -> dict[str, Held]:
        if value is None:
            return {}
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        return {"crds/foo.yaml": Held("crds/foo.yaml", len(data), data)}

    return compare_crds(files(old), files(new), lambda _: False)


def test_helm_takes_what_lies_in_crds_of_the_chart_and_of_those_inside() -> None:
    assert is_crd_file("crds/a.yaml")
    assert is_crd_file("crds/more/a.yml")
    assert is_crd_file("charts/db/crds/a.yaml")
    assert not is_crd_file("crds/README.md")
    assert not is_crd_file("templates/crds/a.yaml")


def test_fields_that_came_went_and_changed() -> None:
    text, number = {"type": "string"}, {"type": "integer"}
    old = definition(v1=schema(a=text, b=text, c=number))
    new = definition(v1=schema(("d",), a=number, c=number, d=text))
    (change,) = compared(old, new).changes
    assert [(field.path, field.old and field.old.kind, field.new and field.new.kind) for field in change.fields] == [
        ("spec.a", "string", "integer"),
        ("spec.b", "string", None),
        ("spec.d", None, "string"),
    ]
    assert change.breaks
    assert [field.breaks for field in change.fields] == [True, True, False]


def test_of_what_came_whole_the_outermost_is_told() -> None:
    inner = {"type": "array", "items": {"type": "object", "properties": {"x": {"type": "string"}}}}
    (change,) = compared(definition(v1=schema()), definition(v1=schema(list=inner))).changes
    assert [(field.path, field.new and field.new.kind) for field in change.fields] == [("spec.list", "array of object")]
    assert not change.breaks
    (back,) = compared(definition(v1=schema(list=inner)), definition(v1=schema())).changes
    assert [field.path for field in back.removed] == ["spec.list"]


def test_what_is_in_items_of_a_list_is_a_field_too() -> None:
    one = {"type": "array", "items": {"type": "object", "properties": {"x": {"type": "string"}}}}
    two = {
        "type": "array",
        "items": {"type": "object", "properties": {"x": {"type": "string"}, "y": {"type": "string"}}},
    }
    (change,) = compared(definition(v1=schema(l=one)), definition(v1=schema(l=two))).changes
    assert [field.path for field in change.fields] == ["spec.l[].y"]


def test_versions_come_and_go() -> None:
    changes = compared(definition(v1alpha1=schema(), v1=schema()), definition(v1=schema(), v2=schema())).changes
    assert [(change.version, change.old is None, change.new is None, change.breaks) for change in changes] == [
        ("v1alpha1", False, True, True),
        ("v2", True, False, False),
    ]


def test_a_field_that_is_demanded_now_breaks() -> None:
    text = {"type": "string"}
    (change,) = compared(definition(v1=schema(a=text)), definition(v1=schema(("a",), a=text))).changes
    assert change.breaks


def test_definitions_come_and_go() -> None:
    (gone,) = compared(definition(v1=schema()), None).changes
    assert (gone.name, gone.version, gone.new, gone.breaks) == ("foos.example.com", "", None, True)
    (come,) = compared(None, definition(v1=schema())).changes
    assert (come.old, come.breaks) == (None, False)


def test_several_documents_in_one_file() -> None:
    old = b"---\n" + b"\n---\n".join(json.dumps(definition(f"{n}.example.com", v1=schema())).encode() for n in "ab")
    new = old.split(b"\n---\n")[0]
    assert [change.name for change in compared(old, new).changes] == ["b.example.com"]


def test_the_old_form_had_one_schema_for_all() -> None:
    def old_form(**properties: Any) -> dict[str, Any]:
        made = definition()
        made["spec"] = {"version": "v1beta1", "validation": {"openAPIV3Schema": schema(**properties)}}
        return made

    (change,) = compared(old_form(), old_form(a={"type": "string"})).changes
    assert (change.version, [field.path for field in change.fields]) == ("v1beta1", ["spec.a"])


def test_what_cannot_be_read_is_told_and_does_not_count_as_gone() -> None:
    found = compared(definition(v1=schema()), b"a: [")
    assert (found.changes, found.unread) == ((), ("crds/foo.yaml",))
    assert compared(definition(v1=schema()), b"{{ if }}\na: b").unread == ("crds/foo.yaml",)


def test_too_much_of_it_is_not_read() -> None:
    bomb = b"a: &a [x, x, x, x, x, x, x, x]\n" + b"".join(
        b"%c: &%c [%s]\n" % (here, here, b", ".join([b"*%c" % (here - 1)] * 8)) for here in b"bcdefghijk"
    )
    assert compared(bomb, definition(v1=schema())).unread == ("crds/foo.yaml",)
    deep = b"kind: CustomResourceDefinition\nmetadata: {name: x}\nspec: " + b"{properties: {a: " * 5_000
    assert compared(deep, definition(v1=schema())).unread == ("crds/foo.yaml",)
