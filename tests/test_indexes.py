"""Rendered indexes, kept in line with the catalog."""

import gzip
from pathlib import Path

import pytest
import yaml

from chartrepo import indexes as indexes_module
from chartrepo.core.index import Form
from chartrepo.indexes import EVERYTHING, Document, Indexes, Wanted
from tests.support.packages import package
from tests.support.repositories import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.build()
    return shop


class Renders(list[Form]):
    """Remembers what was rendered."""

    def __call__(self, form: Form, _seconds: float) -> None:
        self.append(form)


def text(document: Document) -> bytes:
    data = b"".join(document.parts)
    assert len(data) == document.length
    return data


def names(document: Document) -> list[str]:
    return list(yaml.safe_load(text(document))["entries"])


def test_an_index_is_rendered_when_it_is_asked_for_and_only_in_that_form(shop: Shop) -> None:
    renders = Renders()
    indexes = Indexes(shop.catalog, rendered=renders)
    shop.publish(package())
    assert renders == []
    for _ in range(3):
        indexes.get("", Form.YAML)
    assert renders == [Form.YAML]
    indexes.get("", Form.JSON)
    assert renders == [Form.YAML, Form.JSON]


def test_a_publication_shows_at_once_and_renders_its_own_chart_anew(shop: Shop) -> None:
    indexes = Indexes(shop.catalog)
    for name in ("web", "app"):
        shop.publish(package(name))
    before = indexes.get("", Form.YAML)
    shop.publish(package("app", "2.0.0"))
    after = indexes.get("", Form.YAML)
    assert b"2.0.0" in text(after.document())
    assert after.blocks["web"] is before.blocks["web"]
    assert after.blocks["app"] is not before.blocks["app"]


def test_what_comes_bit_by_bit_is_what_comes_as_a_whole(shop: Shop) -> None:
    growing = {form: Indexes(shop.catalog) for form in Form}
    for name, version in (("b", "1.0.0"), ("a", "1.0.0"), ("b", "2.0.0"), ("c", "1.0.0"), ("b", "1.5.0")):
        shop.publish(package(name, version))
        for form, indexes in growing.items():
            indexes.get("", form).document(compressed=True)
    shop.repositories.delete("", "a", "1.0.0")
    for form, indexes in growing.items():
        one, other = indexes.get("", form), Indexes(shop.catalog).get("", form)
        for packed in (False, True):
            assert one.document(compressed=packed) == other.document(compressed=packed)


def test_a_chart_whose_last_version_went_is_gone(shop: Shop) -> None:
    indexes = Indexes(shop.catalog)
    shop.publish(package("a"))
    shop.publish(package("b"))
    assert names(indexes.get("", Form.YAML).document()) == ["a", "b"]
    shop.repositories.delete("", "a", "1.0.0")
    assert names(indexes.get("", Form.YAML).document()) == ["b"]
    shop.repositories.delete("", "b", "1.0.0")
    assert text(indexes.get("", Form.YAML).document()).endswith(b"entries: {}\n")


def test_versions_stand_as_helm_sorts_them(shop: Shop) -> None:
    for version in ("1.2.0", "1.10.0", "1.10.0-rc.1", "2.0.0-alpha", "1.9.0", "v1.9.1"):
        shop.publish(package("app", version))
    entries = yaml.safe_load(text(Indexes(shop.catalog).get("", Form.YAML).document()))["entries"]["app"]
    assert [entry["version"] for entry in entries] == [
        "2.0.0-alpha",
        "1.10.0",
        "1.10.0-rc.1",
        "v1.9.1",
        "1.9.0",
        "1.2.0",
    ]


def test_a_compressed_index_is_made_of_parts_that_stay(shop: Shop) -> None:
    indexes = Indexes(shop.catalog)
    for name in ("a", "b", "c"):
        shop.publish(package(name))
    before = set(indexes.get("", Form.JSON).document(compressed=True).parts)
    shop.publish(package("b", "2.0.0"))
    packed = indexes.get("", Form.JSON).document(compressed=True)
    assert gzip.decompress(b"".join(packed.parts)) == text(indexes.get("", Form.JSON).document())
    assert len(before & set(packed.parts)) >= 4  # the gzip header, a, c, and what stands between them


def test_a_small_index_is_held_in_one_piece_and_a_large_one_is_not(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.publish(package("a"))
    small = Indexes(shop.catalog).get("", Form.JSON).document()
    assert len(small.parts) == 1

    monkeypatch.setattr(indexes_module, "_SMALL", small.length - 1)
    large = Indexes(shop.catalog).get("", Form.JSON).document()
    assert len(large.parts) > 1
    assert text(large) == text(small)


def test_charts_that_nobody_asks_for_any_more_do_not_stay_in_memory(shop: Shop) -> None:
    indexes = Indexes(shop.catalog)
    shop.publish(package("a"))
    for number in range(5):
        shop.publish(package("b", f"1.{number}.0"))
        indexes.get("", Form.JSON).document(compressed=True)
    index = indexes.get("", Form.JSON)
    assert set(index._deflated) <= set(index._all.parts)


def test_repositories_that_hold_nothing_take_no_memory(shop: Shop) -> None:
    indexes = Indexes(shop.catalog)
    for number in range(50):
        indexes.get(f"made-up/{number}", Form.YAML)
    assert indexes._held == {}


def test_nothing_wanted_in_particular_is_everything() -> None:
    assert not EVERYTHING
    assert Wanted(versions=1)
    assert Wanted(charts=("a",))
    assert list(EVERYTHING.among(["b", "a"])) == ["b", "a"]
    assert Wanted(charts=("?", "x*")).among(["a", "ab", "xyz"]) == ["a", "xyz"]


def test_a_part_that_is_asked_for_again_is_not_made_again(shop: Shop) -> None:
    indexes = Indexes(shop.catalog)
    shop.publish(package("a"))
    index = indexes.get("", Form.JSON)
    for compressed in (False, True):
        assert index.document(Wanted(versions=1), compressed=compressed) is index.document(
            Wanted(versions=1), compressed=compressed
        )


def test_parts_that_clients_make_up_do_not_fill_the_memory(shop: Shop) -> None:
    indexes = Indexes(shop.catalog)
    shop.publish(package("a"))
    index = indexes.get("", Form.JSON)
    for number in range(100):
        index.document(Wanted(charts=(f"a{number}",)))
    assert len(index._parts) <= 8
