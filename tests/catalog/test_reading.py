"""What a complete catalog says of packages, charts and repositories."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chartrepo.catalog import Catalog, Entry, Known, RepositoryStatus, Served
from chartrepo.core.index import Form
from tests.support.catalogs import NOW, aside, build, charts, package, record, remove


def test_a_package_is_known_with_all_that_serving_it_needs(catalog: Catalog) -> None:
    one = package(state="s", provenance_state="p", signed=True, digest="cd" * 32, size=7)
    record(catalog, one)
    served = catalog.package("", one.file)
    assert served == Served("s", "p", True, "cd" * 32, 7, NOW, "app", "1.0.0")
    assert served.signed is True


@pytest.mark.parametrize("repository", ["team", "TEAM", "team/app", "nothing"])
def test_a_package_is_known_in_its_own_repository_only(catalog: Catalog, repository: str) -> None:
    record(catalog, package())
    assert catalog.package(repository, "app-1.0.0.tgz") is None


@pytest.mark.parametrize("file", ["app-1.0.0.tgz\0", "app-\udcff.tgz", "%s", "%(file)s", ":file", "'; --"])
def test_a_file_name_of_any_kind_can_be_asked_for(catalog: Catalog, file: str) -> None:
    record(catalog, package())
    assert catalog.package("", file) is None
    assert catalog.versions("", file) == []


def test_a_record_comes_back_as_it_went_in(catalog: Catalog) -> None:
    one = package("äpp 🚀", "v1.2+meta", repository="team/app", warnings=("'quoted'", "ünd"), entry_yaml='- "\u2028"\n')
    record(catalog, one)
    assert catalog.versions("team/app", "äpp 🚀") == [one]
    assert list(catalog.records()) == [one]


def test_versions_come_newest_first_as_helm_orders_them(catalog: Catalog) -> None:
    ordered = ["10.0.0", "2.0.0", "2.0.0-rc.x", "2.0.0-rc.10", "2.0.0-rc.9", "2.0.0-alpha", "1.10", "1.9.1"]
    shuffled = random.Random(1).sample(ordered, len(ordered))
    build(catalog, *(package(version=version) for version in shuffled))
    assert [one.version for one in catalog.versions("", "app")] == ordered
    assert [entry.version for entry in charts(catalog)["app"]] == ordered


def test_versions_of_equal_rank_have_one_order_however_they_came(catalog: Catalog) -> None:
    equal = ["1.0.0+b", "1.0.0+a", "1.0.0", "1.0", "v1.0.0"]
    orders = set()
    for order in (equal, equal[::-1]):
        build(catalog, *(package(version=version) for version in order))
        orders.add(tuple(one.version for one in catalog.versions("", "app")))
    assert len(orders) == 1


@pytest.mark.parametrize("form", Form)
def test_an_entry_has_the_text_of_the_form_that_is_asked_for(catalog: Catalog, form: Form) -> None:
    stable, candidate = package(), package(version="1.1.0-rc.1", created=NOW + 5)
    record(catalog, stable, candidate)
    text = {Form.JSON: lambda one: one.entry_json, Form.YAML: lambda one: one.entry_yaml}[form]
    assert charts(catalog, form=form) == {
        "app": [
            Entry("1.1.0-rc.1", "app-1.1.0-rc.1.tgz", NOW + 5, stable=False, text=text(candidate)),
            Entry("1.0.0", "app-1.0.0.tgz", NOW, stable=True, text=text(stable)),
        ]
    }


def test_charts_come_in_the_order_of_their_names(catalog: Catalog) -> None:
    names = ["Zoo", "a", "a-b", "ab", "b", "ä"]
    build(catalog, *(package(name) for name in reversed(names)), package("other", repository="team"))
    assert list(charts(catalog)) == names
    assert charts(catalog, "nothing") == {}


def test_a_large_repository_is_read_whole(catalog: Catalog) -> None:
    names = [f"chart-{number:03d}" for number in range(205)]
    build(catalog, *(package(name, version) for name in names for version in ("1.0.0", "2.0.0")))
    found = charts(catalog)
    assert list(found) == names
    assert all([entry.version for entry in entries] == ["2.0.0", "1.0.0"] for entries in found.values())


def test_every_repository_that_holds_something_is_listed_with_its_sums(catalog: Catalog) -> None:
    record(
        catalog,
        package("b", repository="team/app", size=5),
        package("a", size=10),
        package("a", "2.0.0", size=20),
        package("b", size=30),
        package("gone", repository="empty"),
        aside(repository="only/aside"),
    )
    remove(catalog, package("gone", repository="empty"))
    assert catalog.repositories() == [
        RepositoryStatus("", charts=2, versions=3, size=60, revision=3, changed_at=NOW),
        RepositoryStatus("team/app", charts=1, versions=1, size=5, revision=1, changed_at=NOW),
    ]


def test_what_repositories_are_at_is_told_of_those_too_that_became_empty(catalog: Catalog) -> None:
    record(catalog, package("b", repository="team/app"), package("gone", repository="empty"))
    remove(catalog, package("gone", repository="empty"))
    assert catalog.marks() == {name: catalog.mark(name) for name in ("team/app", "empty")}


def test_packages_set_aside_are_told_with_their_reasons(catalog: Catalog) -> None:
    first, second = aside(reason="no 'gzip'\n\0"), aside("näme-\udcff.tgz", repository="Team/\udcfe", reason="\udcff")
    record(catalog, first, second)
    assert catalog.set_aside() == [first, second]
    assert catalog.set_aside("Team/\udcfe") == [second]
    assert catalog.set_aside("nothing") == []
    assert catalog.package("", first.file) is None


def test_all_states_are_told_for_comparing_with_a_listing(catalog: Catalog) -> None:
    record(catalog, package(state="s1", provenance_state="p1"), package("b", repository="t"), aside("x\udcff.tgz"))
    assert sorted(catalog.states()) == [
        Known("", "app-1.0.0.tgz", "s1", "p1", served=True),
        Known("", "x\udcff.tgz", "state-1", None, served=False),
        Known("t", "b-1.0.0.tgz", "state-1", None, served=True),
    ]


def test_the_states_of_one_chart_are_told(catalog: Catalog) -> None:
    record(
        catalog,
        package(state="s1"),
        package(version="2.0.0", state="s2"),
        package("app-other", state="s3"),
        package("app2"),
        package("ap"),
        package(repository="t"),
        aside("app-x.tgz"),
        aside("bad-1.0.0.tgz"),
    )
    assert catalog.states_of_chart("", "app") == {
        "app-1.0.0.tgz": "s1",
        "app-2.0.0.tgz": "s2",
        "app-other-1.0.0.tgz": "s3",
        "app-x.tgz": "state-1",
    }
    assert catalog.states_of_chart("", "nothing") == {}


def test_a_listing_of_states_that_is_given_up_holds_nothing_back(catalog: Catalog) -> None:
    build(catalog, *(package(version=f"1.{number}.0") for number in range(3)))
    states = catalog.states()
    next(states)
    del states
    before = catalog.mark("")
    record(catalog, package("new"))
    assert catalog.mark("").revision == before.revision + 1
    assert len(list(catalog.states())) == 4


def test_what_is_written_while_states_are_told_is_not_among_them(catalog: Catalog) -> None:
    build(catalog, *(package(version=f"1.{number}.0") for number in range(3)))
    states = catalog.states()
    next(states)
    record(catalog, package("new"))
    assert len(list(states)) == 2


NAMES = st.sampled_from(["a", "b", "a-1"])
VERSIONS = st.sampled_from(["1.0.0", "1-2.0.0", "2.0.0"])
ACTIONS = st.tuples(st.sampled_from(["record", "remove", "aside"]), NAMES, VERSIONS, st.integers(0, 3))


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=st.lists(ACTIONS, max_size=12))
def test_however_it_came_about_a_catalog_equals_one_that_is_built_anew(
    catalog: Catalog, actions: list[tuple[str, str, str, int]]
) -> None:
    build(catalog)
    for action, name, version, size in actions:
        one = package(name, version, size=size, digest=f"{size}" * 64)
        if action == "record":
            record(catalog, one)
        elif action == "aside":
            record(catalog, aside(one.file))
        else:
            remove(catalog, one)
    grown = _content(catalog)
    build(catalog, *catalog.records())
    assert _content(catalog) == grown


def _content(catalog: Catalog) -> object:
    status = [(one.name, one.charts, one.versions, one.size) for one in catalog.repositories()]
    return status, charts(catalog, form=Form.YAML), sorted(catalog.states()), catalog.set_aside()


class TestBefore:
    """Which version came before another one."""

    VERSIONS = ("2.0.0", "2.0.0-rc.2", "2.0.0-rc.1", "1.9.0", "1.0.0+b", "1.0.0")

    @pytest.mark.parametrize(
        ("version", "before"),
        [
            ("2.0.0", "1.9.0"),
            ("2.0.0-rc.2", "2.0.0-rc.1"),
            ("2.0.0-rc.1", "1.9.0"),
            ("1.9.0", "1.0.0+b"),
            ("1.0.0+b", None),
            ("1.0.0", None),
        ],
    )
    def test_it_is_the_next_older_one_and_a_stable_one_before_a_stable_one(
        self, catalog: Catalog, version: str, before: str | None
    ) -> None:
        build(catalog, *(package(version=each) for each in self.VERSIONS), package("other", "1.5.0"))
        found = catalog.browsing.before(package(version=version))
        assert (found.version if found is not None else None) == before

    def test_where_no_stable_one_came_before_it_is_any(self, catalog: Catalog) -> None:
        build(catalog, package(version="1.0.0"), package(version="1.0.0-rc.1"))
        found = catalog.browsing.before(package(version="1.0.0"))
        assert found is not None
        assert found.version == "1.0.0-rc.1"

    def test_the_names_of_some_are_read_the_newest_first(self, catalog: Catalog) -> None:
        build(catalog, *(package(version=each) for each in self.VERSIONS))
        assert catalog.browsing.names_of_newest("", "app", limit=3) == list(self.VERSIONS[:3])
        assert catalog.browsing.names_of_newest("", "nothing", limit=3) == []
        assert catalog.browsing.names_of_newest("", "a\0b", limit=3) == []
