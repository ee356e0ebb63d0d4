"""Charts are held to policies: at the door, in the storage, after changes of the file, and after a catalog was lost."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from chartrepo import layout
from chartrepo.building import build
from chartrepo.catalog import PackageRecord, SetAside
from chartrepo.checking import Kind, check
from chartrepo.core.errors import FileNotFound, PackageRefused, VersionIsFinal, VersionNotFound
from chartrepo.importing import Report, Result, import_packages
from chartrepo.repository import Overwrite
from chartrepo.sources import Stored
from storage.base import ANYWAY, ObjectInfo, Unavailable
from storage.memory import MemoryStorage
from tests.support.faults import FaultyStorage
from tests.support.packages import package
from tests.support.repositories import NOW, Shop, provenance

PLAIN = package("web")
ICON = package("web", icon="https://example.com/icon.svg")
NEEDS_ICON = """policies: [{on: "team/**", since: "2023-11-14T22:13:20Z", required: [icon]}]\n"""
"""From `NOW` on."""
HIDES = """policies: [{on: "team/**", existing: hide, required: [icon]}]\n"""
IMMUTABLE = """policies: [{on: "team/**", since: "2023-11-14T22:13:20Z", immutable: true}]\n"""
NONE = "policies: []\n"
KEY = "team/web-1.0.0.tgz"
SAID = 'Chart.yaml: icon is missing: write it (policy 1, on "team/**", of policies.yaml)'


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.build()
    return shop


def served(shop: Shop) -> list[str]:
    return shop.listed("team")


def aside(shop: Shop) -> list[str]:
    return [each.reason for each in shop.catalog.set_aside()]


class TestAtTheDoor:
    def test_what_breaks_a_policy_is_refused_and_nothing_written(self, shop: Shop) -> None:
        shop.police(NEEDS_ICON)
        with pytest.raises(PackageRefused) as raised:
            shop.publish(PLAIN, repository="team")
        assert str(raised.value) == SAID
        assert list(shop.inner.list()) == []
        shop.publish(ICON, repository="team")
        shop.publish(PLAIN, repository="other")

    def test_what_else_an_upload_is_refused_for_is_told_with_it(self, shop: Shop) -> None:
        shop.police(NEEDS_ICON)
        data = package("web", files={"Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.10\n"})
        with pytest.raises(PackageRefused) as raised:
            shop.publish(data, repository="team")
        assert len(raised.value.problems) == 2
        assert raised.value.problems[-1] == SAID

    def test_a_policy_that_is_to_come_asks_for_nothing_yet(self, shop: Shop) -> None:
        shop.police(NEEDS_ICON)
        shop.clock.now = NOW - 1
        shop.publish(PLAIN, repository="team")
        shop.clock.now = NOW
        with pytest.raises(PackageRefused):
            shop.publish(package("web", "2.0.0"), repository="team")

    def test_the_size_is_that_of_the_package(self, shop: Shop) -> None:
        shop.police(f'policies: [{{on: "**", existing: hide, largest: {len(PLAIN)}}}]')
        shop.publish(PLAIN)
        with pytest.raises(PackageRefused, match="is the most"):
            shop.publish(package("web", "2.0.0", description="x" * 100))


class TestImport:
    def bring(self, shop: Shop, **packages: bytes) -> Report:
        """Import packages into `team`, version 1.0.0 of each, that were published long ago."""
        old, report = MemoryStorage(), Report()
        for name, data in packages.items():
            old.put(f"team/{name}-1.0.0.tgz", data, condition=ANYWAY, published=NOW - 1000)
        source = Stored(old, near=False)
        for outcome in import_packages(
            list(source.items()), source, shop.repositories, to="", jobs=1, spool=shop.folder
        ):
            report.add(outcome)
        return report

    def test_refuses_as_an_upload_whatever_the_time_that_comes_along(self, shop: Shop) -> None:
        shop.police(NEEDS_ICON)
        report = self.bring(shop, web=PLAIN, lib=package("lib", icon="i"))
        assert report.counts == {Result.IMPORTED: 1, Result.REFUSED: 1}
        assert report.problems == [(KEY, SAID)]

    def test_a_version_that_was_deleted_for_good_is_told_as_that(self, shop: Shop) -> None:
        shop.police(IMMUTABLE)
        shop.publish(PLAIN, repository="team")
        shop.repositories.delete("team", "web", "1.0.0")
        ((place, reason),) = self.bring(shop, web=PLAIN).problems
        assert place == KEY
        assert reason.startswith("web-1.0.0.tgz was deleted, and a deleted version does not come back")

    def test_what_is_there_already_stays_so_under_immutability(self, shop: Shop) -> None:
        shop.police(IMMUTABLE)
        shop.publish(PLAIN, repository="team")
        assert self.bring(shop, web=PLAIN).counts == {Result.PRESENT: 1}


class TestInTheStorage:
    def test_what_was_put_there_since_is_set_aside_with_the_reason(self, shop: Shop) -> None:
        shop.police(NEEDS_ICON)
        shop.put(KEY, PLAIN, published=NOW)
        assert shop.sync().set_aside == 1
        assert served(shop) == []
        assert aside(shop) == [SAID]

    def test_what_was_published_before_stays_served_also_without_its_catalog(self, shop: Shop) -> None:
        shop.put(KEY, PLAIN, published=NOW - 1)
        shop.sync()
        shop.police(NEEDS_ICON)
        assert shop.judge() == 0
        shop.reindex()
        assert served(shop) == ["web 1.0.0"]
        shop.rebuild()
        assert served(shop) == ["web 1.0.0"]

    def test_what_is_set_aside_is_so_on_a_new_replica(self, shop: Shop) -> None:
        shop.police(NEEDS_ICON)
        shop.put(KEY, PLAIN, published=NOW)
        shop.put("team/lib-1.0.0.tgz", package("lib"), published=NOW - 1)
        shop.rebuild()
        assert served(shop) == ["lib 1.0.0"]
        assert aside(shop) == [SAID]

    def test_what_is_remembered_is_judged_too(self, shop: Shop) -> None:
        shop.put(KEY, PLAIN)
        shop.put("team/lib-1.0.0.tgz", package("lib", icon="i"))
        shop.sync()
        known = {layout.key(each.repository, each.file): each for each in shop.catalog.records()}
        shop.police(HIDES)
        shop.storage.calls.clear()
        build(shop.catalog, shop.storage, shop.reader(), policing=shop.policing, remembered=lambda: known)
        assert served(shop) == ["lib 1.0.0"]
        assert [call for call in shop.storage.calls if call.operation == "open"] == []
        hidden = {layout.key(each.repository, each.file): each for each in shop.catalog.records()}
        shop.police(NONE)
        build(shop.catalog, shop.storage, shop.reader(), policing=shop.policing, remembered=lambda: hidden)
        assert served(shop) == ["lib 1.0.0", "web 1.0.0"]

    def test_what_is_there_is_hidden_where_that_is_asked_and_shown_again(self, shop: Shop) -> None:
        data = PLAIN
        shop.publish(data, provenance(data, "web-1.0.0.tgz", name="web"), repository="team")
        before = next(iter(shop.catalog.versions("team", "web")))
        shop.police(HIDES)
        assert shop.judge() == 1
        assert served(shop) == []
        assert aside(shop) == [SAID]
        assert shop.judge() == 0
        assert shop.sync().changed == 0

        shop.police(NONE)
        assert shop.judge() == 1
        assert shop.catalog.versions("team", "web") == [before]
        assert aside(shop) == []

    def test_only_who_holds_all_to_changed_policies_shows_a_package_again(self, shop: Shop) -> None:
        """A worker may go by the old file for a moment: what it is asked for must not show what was just hidden."""
        shop.publish(PLAIN, repository="team")
        shop.police(HIDES)
        shop.judge()
        shop.police(NONE)
        with pytest.raises(FileNotFound):
            shop.fetch("web-1.0.0.tgz", "team")
        shop.sync()
        assert served(shop) == []
        shop.judge()
        assert shop.fetch("web-1.0.0.tgz", "team") == PLAIN

    def test_other_policies_that_hide_it_too_give_their_own_reason(self, shop: Shop) -> None:
        shop.publish(PLAIN, repository="team")
        shop.police(HIDES)
        shop.judge()
        shop.police(HIDES.replace("icon", "home"))
        assert shop.judge() == 1
        assert aside(shop) == [SAID.replace("icon", "home")]

    def test_what_cannot_be_read_is_not_looked_at_again_for_policies(self, shop: Shop) -> None:
        shop.put(KEY, b"nothing")
        shop.sync()
        shop.police(HIDES)
        assert shop.judge() == 0

    def test_a_package_that_cannot_be_read_now_waits_for_the_next_time(
        self, shop: Shop, caplog: pytest.LogCaptureFixture
    ) -> None:
        shop.publish(PLAIN, repository="team")
        shop.police(HIDES)
        shop.storage.fail("open", Unavailable("away"))
        assert shop.judge() == 0
        assert "could not be held to the policies: away" in caplog.text
        assert shop.judge() == 1

    def test_a_schema_is_asked_about_what_the_catalog_holds(self, shop: Shop) -> None:
        shop.publish(package("web", keywords=["a"], annotations={"x": "y"}), repository="team")
        schema = '{"required": ["annotations"], "properties": {"name": {"const": "x"}}}'
        (shop.folder / "chart.schema.json").write_text(schema)
        shop.police('policies: [{on: "**", existing: hide, schema: chart.schema.json}]')
        shop.judge()
        assert aside(shop) == [
            "Chart.yaml: name: 'x' was expected (chart.schema.json) (policy 1, on \"**\", of policies.yaml)"
        ]


class TestImmutable:
    @pytest.fixture
    def shop(self, shop: Shop) -> Shop:
        shop.overwrite = Overwrite.ALWAYS
        shop.police(IMMUTABLE)
        return shop

    def test_a_version_is_never_replaced(self, shop: Shop) -> None:
        shop.publish(PLAIN, repository="team")
        with pytest.raises(VersionIsFinal, match="already exists, and stays as it is: publish a new version"):
            shop.publish(ICON, repository="team", force=True)
        assert shop.fetch("web-1.0.0.tgz", "team") == PLAIN

    def test_one_from_before_the_policy_is_not_replaced_either(self, shop: Shop) -> None:
        shop.clock.now = NOW - 10
        shop.publish(PLAIN, repository="team")
        shop.publish(ICON, repository="team")
        shop.clock.now = NOW
        with pytest.raises(VersionIsFinal):
            shop.publish(PLAIN, repository="team")

    @pytest.mark.parametrize("then", [Shop.reindex, Shop.rebuild, lambda _: None])
    def test_a_deleted_version_does_not_come_back(self, shop: Shop, then: Callable[[Shop], None]) -> None:
        shop.publish(PLAIN, repository="team")
        shop.repositories.delete("team", "web", "1.0.0")
        then(shop)
        for data in (PLAIN, ICON):
            with pytest.raises(VersionIsFinal, match=r"web-1.0.0.tgz was deleted, and .* does not come back"):
                shop.publish(data, repository="team")
        assert list(shop.inner.list()) == []
        shop.publish(package("web", "1.0.1"), repository="team")

    def test_a_deletion_is_remembered_before_the_package_goes(self, shop: Shop) -> None:
        shop.publish(PLAIN, repository="team")
        shop.storage.fail("delete", Unavailable("away"))
        with pytest.raises(Unavailable):
            shop.repositories.delete("team", "web", "1.0.0")
        assert [info.key for info in shop.state.list()] == [f"deleted/{KEY}/{NOW}"]
        assert served(shop) == ["web 1.0.0"]
        shop.repositories.delete("team", "web", "1.0.0")
        assert served(shop) == []

    def test_where_it_cannot_be_remembered_the_package_stays(self, shop: Shop) -> None:
        shop.publish(PLAIN, repository="team")
        faulty = FaultyStorage(shop.state)
        shop.state = faulty
        shop.police(IMMUTABLE)
        faulty.fail("put", Unavailable("away"))
        with pytest.raises(Unavailable):
            shop.repositories.delete("team", "web", "1.0.0")
        assert served(shop) == ["web 1.0.0"]

    def test_hands_do_not_bring_it_back(self, shop: Shop) -> None:
        shop.publish(PLAIN, repository="team")
        shop.repositories.delete("team", "web", "1.0.0")
        shop.put(KEY, PLAIN)
        shop.sync()
        (reason,) = aside(shop)
        assert "was deleted" in reason
        shop.rebuild()
        assert aside(shop) == [reason]
        shop.repositories.delete("team", "web", "1.0.0")
        assert list(shop.inner.list()) == []

    def test_what_was_deleted_before_comes_back(self, shop: Shop) -> None:
        shop.clock.now = NOW - 1
        shop.publish(PLAIN, repository="team")
        shop.repositories.delete("team", "web", "1.0.0")
        shop.clock.now = NOW
        assert list(shop.state.list()) == []
        shop.publish(PLAIN, repository="team")

    def test_a_newer_day_forgives_older_deletions(self, shop: Shop) -> None:
        shop.publish(PLAIN, repository="team")
        shop.repositories.delete("team", "web", "1.0.0")
        shop.police(IMMUTABLE.replace("22:13:20", "22:13:21"))
        shop.clock.now = NOW + 1
        shop.publish(PLAIN, repository="team")
        shop.rebuild()
        assert served(shop) == ["web 1.0.0"]

    def test_elsewhere_a_version_comes_back(self, shop: Shop) -> None:
        shop.publish(PLAIN, repository="other")
        shop.repositories.delete("other", "web", "1.0.0")
        shop.publish(PLAIN, repository="other")
        assert list(shop.state.list()) == []

    def test_a_file_that_was_never_served_may_be_replaced_or_deleted(self, shop: Shop) -> None:
        shop.put(KEY, b"nothing")
        shop.sync()
        shop.publish(PLAIN, repository="team")
        shop.put("team/lib-1.0.0.tgz", b"nothing")
        shop.sync()
        shop.repositories.delete("team", "lib", "1.0.0")
        shop.publish(package("lib"), repository="team")

    def test_one_that_is_hidden_is_not_replaced_and_can_be_deleted_for_good(self, shop: Shop) -> None:
        shop.publish(PLAIN, repository="team")
        shop.police('policies: [{on: "**", existing: hide, immutable: true, required: [icon]}]')
        shop.judge()
        with pytest.raises(VersionIsFinal, match="stays as it is"):
            shop.publish(ICON, repository="team", force=True)
        shop.repositories.delete("team", "web", "1.0.0")
        with pytest.raises(VersionIsFinal, match="was deleted"):
            shop.publish(ICON, repository="team")

    def test_a_provenance_that_is_there_is_not_replaced(self, shop: Shop) -> None:
        shop.publish(PLAIN, provenance(PLAIN, "web-1.0.0.tgz", name="web"), repository="team")
        with pytest.raises(Exception, match="already exists"):
            shop.repositories.publish_provenance(
                "team", provenance(PLAIN, "web-1.0.0.tgz", name="web") + b"\n", force=True
            )

    def test_what_is_not_there_cannot_be_deleted_for_good(self, shop: Shop) -> None:
        with pytest.raises(VersionNotFound):
            shop.repositories.delete("team", "web", "1.0.0")
        shop.publish(PLAIN, repository="team")

    def test_a_server_without_a_lock_in_common_that_deletes_meanwhile_wins(self, shop: Shop) -> None:
        """It looked at, remembered and removed the package between our first look and our write."""
        put = shop.inner.put

        def other_server(key: str, *arguments: object, **named: object) -> ObjectInfo:
            shop.state.put(layout.deletion_key("team", "web-1.0.0.tgz", NOW), b"", condition=ANYWAY)
            return put(key, *arguments, **named)  # type: ignore[arg-type]

        shop.inner.put = other_server  # type: ignore[method-assign]
        with pytest.raises(VersionIsFinal, match="was deleted"):
            shop.publish(PLAIN, repository="team")
        assert list(shop.inner.list()) == []


class TestCheck:
    @pytest.fixture
    def shop(self, shop: Shop) -> Shop:
        shop.publish(PLAIN, repository="team")
        shop.publish(package("lib", icon="i"), repository="team")
        return shop

    def found(self, shop: Shop, *, policies: bool) -> tuple[list[tuple[Kind, str, str]], bool]:
        report = check(shop.storage, shop.catalog, shop.reader(), shop.policing if policies else None)
        return [(each.kind, each.key, each.message) for each in report.findings], report.sound

    def test_lists_what_is_served_from_before_where_that_is_asked(self, shop: Shop) -> None:
        shop.police(NEEDS_ICON.replace("2023", "2024"))
        assert self.found(shop, policies=False) == ([], True)
        message = f"it is served, for it was published before the policy holds: {SAID}"
        assert self.found(shop, policies=True) == ([(Kind.POLICY, KEY, message)], False)

    def test_what_is_hidden_is_no_fault_unless_policies_are_asked_about(self, shop: Shop) -> None:
        shop.police(HIDES)
        shop.judge()
        message = f"policies do not let it be served: {SAID}"
        assert self.found(shop, policies=False) == ([(Kind.HIDDEN, KEY, message)], True)
        assert self.found(shop, policies=True) == ([(Kind.POLICY, KEY, message)], False)

    def test_policies_that_are_not_in_force_yet_can_be_tried(self, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("chartrepo.checking._UNDER_WAY", 0.0)
        shop.police(HIDES)
        message = f"policies do not let it be served: {SAID}"
        assert self.found(shop, policies=True) == ([(Kind.POLICY, KEY, message)], False)

    def test_what_would_be_shown_again_is_told(self, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("chartrepo.checking._UNDER_WAY", 0.0)
        shop.police(HIDES)
        shop.judge()
        shop.police(NONE)
        message = "it is hidden by policies of before: a running server shows it soon"
        assert self.found(shop, policies=True) == ([(Kind.HIDDEN, KEY, message)], True)


def test_without_policies_no_row_is_looked_into(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_entry: str) -> None:
        raise AssertionError("an entry was parsed")

    shop.publish(PLAIN, repository="team")
    (record,) = shop.catalog.versions("team", "web")
    monkeypatch.setattr("chartrepo.policing.metadata_of", fail)
    assert shop.policing.judged(record) is record
    shop.publish(package("web", "2.0.0"), repository="team")
    assert shop.judge() == 0


def test_what_is_set_aside_says_by_which_policies(shop: Shop) -> None:
    shop.police(HIDES)
    made = shop.put(KEY, PLAIN)
    found = shop.repositories.refresh("team", "web-1.0.0.tgz")
    assert found == SetAside("team", "web-1.0.0.tgz", made, SAID, shop.policing.policies.fingerprint)
    assert isinstance(found, SetAside)
    assert not shop.policing.is_outdated(found)
    assert shop.policing.is_outdated(replace(found, policies="others"))
    assert not shop.policing.is_outdated(replace(found, policies=""))
    assert not isinstance(found, PackageRecord)
