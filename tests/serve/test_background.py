"""The background process goes on, whatever fails."""

import errno
import os
import shutil
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from chartrepo import assembly, layout
from chartrepo.configuration import load
from chartrepo.core.audit import Deed, Outcome, Record
from chartrepo.core.errors import CatalogUnavailable
from chartrepo.judging import judge_again
from chartrepo.kinds import Folder
from chartrepo.repository import Repositories
from chartrepo.serve import background
from chartrepo.serve.background import Background
from chartrepo.serve.wishes import Wishes
from storage.base import ABSENT
from tests.support.packages import package
from tests.support.repositories import Clock

RECORD = Record(action=Deed.PUBLISH, outcome=Outcome.DONE, caller="user:ada", protocol="api", repository="")


class Site:
    """The settings of a server on a folder, and what its processes have between them."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.settings = replace(
            load({}, {}, Path.read_text).settings,
            storage=Folder(self.data),
            state_dir=folder / "state",
            catalog=f"sqlite:///{folder}/catalog.sqlite",
            metrics=False,
            sync_interval=0,
            publish_index=True,
        )
        self.ground = assembly.prepare(self.settings, writable=True)
        self.wishes = Wishes(self.settings.state_dir)

    def put(self, name: str) -> None:
        file = self.data / f"{name}-1.0.0.tgz"
        file.write_bytes(package(name))
        os.utime(file, (1_600_000_000, 1_600_000_000))

    def versions(self, name: str) -> int:
        with closing(assembly.catalog(self.settings, self.ground)) as catalog:
            return len(catalog.versions("", name))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock(now=1000.0)
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


@pytest.fixture
def work(site: Site, clock: Clock) -> Background:
    return Background(site.settings, site.ground, site.wishes)


@pytest.mark.parametrize("error", [CatalogUnavailable("gone"), OSError(errno.ENOSPC, "full"), RecursionError("deep")])
def test_a_sync_that_fails_is_tried_again_ever_later(
    site: Site, work: Background, clock: Clock, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    tries: list[float] = []

    def fail(*_arguments: object, **_others: object) -> None:
        tries.append(clock.now)
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(background, "sync_or_build", fail)
        for _ in range(200):
            work.sync_if_wanted()
            clock.now += 1
    assert [later - before for before, later in pairwise(tries)] == [2, 4, 8, 16, 32, 60, 60]

    site.put("app")
    clock.now += 60
    work.sync_if_wanted()
    assert site.versions("app") == 1


def test_a_catalog_that_goes_away_before_it_is_told_of_fails_the_sync_and_no_more(
    work: Background, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(_catalog: object) -> str:
        raise CatalogUnavailable("gone")

    monkeypatch.setattr(background, "found_in", away)
    work.sync_if_wanted()

    assert "the sync failed, the next one is in 2 s: gone" in caplog.text


def test_a_catalog_that_is_built_again_is_that_of_the_same_storage_at_the_next_start(
    site: Site, work: Background
) -> None:
    work.sync_if_wanted()
    shutil.rmtree(site.settings.state_dir)
    for file in site.data.parent.glob("catalog*"):
        file.unlink()
    work.sync_if_wanted()

    ground = assembly.prepare(site.settings, writable=True)
    assembly.check_catalog(site.settings, ground)
    assert ground.storage_id == site.ground.storage_id


def test_a_wish_waits_for_the_sync_of_another_replica_to_end(site: Site, work: Background) -> None:
    work.sync_if_wanted()
    site.put("app")
    with closing(assembly.catalog(site.settings, site.ground)) as other, other.sync_lock() as theirs:
        assert theirs
        site.wishes.sync()
        work.sync_if_wanted()
    assert site.versions("app") == 0

    work.sync_if_wanted()
    assert site.versions("app") == 1
    assert not site.wishes.wants_sync()


def test_work_that_fails_is_tried_again_ever_less_often_and_the_rest_goes_on(
    site: Site, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    work = Background(site.settings, site.ground, site.wishes)
    monkeypatch.setattr(time, "sleep", _until(clock, 100))
    site.put("app")
    (site.data / "index.yaml").mkdir()
    with pytest.raises(_EndError):
        work.run()

    complaints = [each for each in caplog.records if "writing index.yaml" in each.message]
    assert 4 <= len(complaints) <= 7

    (site.data / "index.yaml").rmdir()
    work.finish()
    assert "app-1.0.0.tgz" in (site.data / "index.yaml").read_text()


def test_changed_policies_are_held_to_without_a_wish_and_once_more_soon_after(
    site: Site, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chartrepo.watched._LOOKS", 0.0)
    file = site.data.parent / "policies.yaml"
    file.write_text("policies: []")
    site.put("app")
    judged: list[int] = []

    def judge(repositories: Repositories) -> int:
        judged.append(judge_again(repositories))
        return judged[-1]

    monkeypatch.setattr(background, "judge_again", judge)
    work = Background(replace(site.settings, policies=file), site.ground, site.wishes)
    for _ in range(5):
        work.sync_if_wanted()
        clock.now += 5
    assert (site.versions("app"), judged) == (1, [0, 0])

    file.write_text('policies: [{on: "**", existing: hide, required: icon}]')
    for _ in range(5):
        work.sync_if_wanted()
        clock.now += 5
    assert (site.versions("app"), judged) == (0, [0, 0, 1, 0])

    file.unlink()
    clock.now += 1000
    work.sync_if_wanted()
    assert site.versions("app") == 0


def test_what_policies_hid_is_shown_at_a_start_without_any(site: Site, work: Background) -> None:
    file = site.data.parent / "policies.yaml"
    file.write_text('policies: [{on: "**", existing: hide, required: icon}]')
    site.put("app")
    Background(replace(site.settings, policies=file), site.ground, site.wishes).sync_if_wanted()
    assert site.versions("app") == 0

    work.sync_if_wanted()
    assert site.versions("app") == 1


def waiting(site: Site) -> list[bytes]:
    return list(filter(None, assembly.audit_spool(site.settings).lines()))


def kept(site: Site) -> int:
    """How many objects of audit records there are."""
    state = assembly.storages(site.settings).state
    return sum(1 for _ in state.list(layout.AUDIT_PREFIX))


def test_audit_records_go_to_the_storage_once_a_minute_from_the_start_on_and_at_the_end(
    site: Site, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit = assembly.audit(site.settings)
    audit.tell(RECORD)  # and the server that did was killed
    work = Background(site.settings, site.ground, site.wishes)
    seen: list[int] = []

    def sleep(pause: float) -> None:
        clock.now += pause
        audit.tell(RECORD)
        seen.append(kept(site))
        if len(seen) == 600:
            raise _EndError

    monkeypatch.setattr(time, "sleep", sleep)
    with pytest.raises(_EndError):
        work.run()
    assert (seen[0], seen[-1]) == (1, 3)
    assert len(waiting(site)) > 0
    work.finish()
    assert (waiting(site), kept(site)) == ([], 4)
    work.finish()
    assert kept(site) == 4


def test_audit_records_that_the_storage_does_not_take_wait(
    site: Site, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assembly.audit(site.settings).tell(RECORD)
    work = Background(site.settings, site.ground, site.wishes)
    (site.data / ".chartrepo" / "audit").write_text("where a folder should be")
    monkeypatch.setattr(time, "sleep", _until(clock, 30))
    with pytest.raises(_EndError):
        work.run()
    assert "taking audit records to the storage failed: " in caplog.text
    assert len(waiting(site)) == 1
    (site.data / ".chartrepo" / "audit").unlink()
    work.finish()
    assert (waiting(site), kept(site)) == ([], 1)


def test_audit_records_go_after_as_long_as_the_settings_say(
    site: Site, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = assembly.storages(site.settings).state
    for day in ("2001-01-01", "2001-01-02"):
        state.put(layout.audit_key(layout.AuditPlace(day, "0000", "0000", "x-0")), b"", condition=ABSENT)

    def work_for_hours(keep: float | None) -> None:
        monkeypatch.setattr(time, "sleep", _until(clock, 2 * 3600, least=60))
        settings = replace(site.settings, audit_keep=keep)
        with pytest.raises(_EndError):
            Background(settings, site.ground, site.wishes).run()

    work_for_hours(None)
    assert kept(site) == 2
    work_for_hours(86400.0)
    assert kept(site) == 0


def test_where_the_settings_say_so_no_audit_records_are_looked_for(site: Site) -> None:
    assembly.audit(site.settings).tell(RECORD)
    Background(replace(site.settings, audit=False), site.ground, site.wishes).finish()
    assert (len(waiting(site)), kept(site)) == (1, 0)


class _EndError(Exception):
    """The test has seen enough."""


def _until(clock: Clock, seconds: float, *, least: float = 0) -> Callable[[float], None]:
    """What sleeps in no time until the clock is so much later, and then ends; each time for `least` seconds."""
    end = clock.now + seconds

    def sleep(pause: float) -> None:
        clock.now += max(pause, least)
        if clock.now > end:
            raise _EndError

    return sleep
