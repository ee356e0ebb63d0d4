"""The drills of `tests/drills`, with small counts; each is also a program that runs as long as one likes.

What a server promises is broken here on purpose as well, to see that a drill would notice.
"""

import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.drills import faults
from tests.drills.arrangements import arranged
from tests.drills.audit import Findings, audit
from tests.drills.clients import CLIENTS, Upload, ask, make, note_upload, send
from tests.drills.collect import collect_beside
from tests.drills.faults import Scene, suffer
from tests.drills.kill import kill_loop
from tests.drills.ledger import Content, Key, Ledger, digest
from tests.drills.memory import LARGEST, crowd
from tests.drills.places import Bucket, Folder
from tests.drills.race import OCI_RACES, race
from tests.support import s3server, tools
from tests.support.faultproxy import LOST_REQUEST, SILENCE_UNHEARD, SLOW_DOWN, Fault
from tests.support.postgres import Postgres
from tests.support.server import Server, running

KILLS = 4
FEW_KILLS = 2
ROUNDS = 6


class TestKills:
    """Nothing acknowledged is lost, nothing is half there, and the next start needs no hand."""

    @pytest.mark.parametrize("kind", ["gunicorn", "granian"])
    def test_on_disk(self, tmp_path: Path, kind: str) -> None:
        result = kill_loop(Folder(tmp_path / "data"), tmp_path, kills=KILLS, server=kind)

        assert result.problems == []
        assert result.killed == {"workers": KILLS // 2, "servers": KILLS // 2}
        assert result.ledger.acknowledged["uploads"]
        assert result.findings.looks

    def test_on_a_bucket(self, tmp_path: Path, best_s3: s3server.S3) -> None:
        assert kill_loop(Bucket(best_s3), tmp_path, kills=FEW_KILLS).problems == []


class TestKillsUnderPushes:
    """The same for what is pushed; and in the end gc leaves what is reachable, and nothing else."""

    @pytest.mark.parametrize("kind", ["gunicorn", "granian"])
    def test_on_disk(self, tmp_path: Path, kind: str) -> None:
        result = kill_loop(Folder(tmp_path / "data"), tmp_path, kills=FEW_KILLS, server=kind, pushers=CLIENTS - 2)

        assert result.problems == []
        assert result.ledger.acknowledged["pushes"]
        assert result.book.acknowledged["tags"]

    def test_on_a_bucket(self, tmp_path: Path, best_s3: s3server.S3) -> None:
        assert kill_loop(Bucket(best_s3), tmp_path, kills=FEW_KILLS, pushers=CLIENTS - 2).problems == []


class TestCollecting:
    """Beside gc nothing acknowledged is ever missing, and after it nothing dead is there."""

    @pytest.mark.parametrize("grace", [0, 2])
    def test_on_disk(self, tmp_path: Path, grace: float) -> None:
        result = collect_beside(Folder(tmp_path / "data"), tmp_path, seconds=5, grace=grace)

        assert result.problems == []
        assert result.collected["runs"]
        assert result.book.acknowledged["deletes"]

    def test_on_a_bucket(self, tmp_path: Path, best_s3: s3server.S3) -> None:
        assert collect_beside(Bucket(best_s3), tmp_path, seconds=4, grace=0).problems == []


class TestRaces:
    """One of the uploads of a version wins, and every worker of every server agrees who."""

    @pytest.mark.parametrize("arrangement", ["threads", "workers", "processes"])
    def test_on_disk(self, tmp_path: Path, arrangement: str) -> None:
        with arranged(arrangement, tmp_path) as servers:
            result = race(servers, rounds=ROUNDS)

        assert result.problems == []
        assert result.answers["PUT 201"] >= ROUNDS

    def test_between_replicas_with_one_catalog(self, tmp_path: Path, best_s3: s3server.S3, postgres_url: str) -> None:
        with arranged("replicas-postgres", tmp_path, s3=best_s3, database=postgres_url) as servers:
            assert race(servers, rounds=ROUNDS).problems == []

    def test_between_replicas_that_share_nothing_but_a_bucket(self, tmp_path: Path, best_s3: s3server.S3) -> None:
        with arranged("replicas-bucket", tmp_path, s3=best_s3) as servers:
            assert race(servers, rounds=ROUNDS).problems == []


class TestRacesOfPushes:
    """One of those who push or upload a version wins, and both protocols agree who, wherever they are asked."""

    @pytest.mark.parametrize("arrangement", ["threads", "workers", "processes"])
    def test_on_disk(self, tmp_path: Path, arrangement: str) -> None:
        with arranged(arrangement, tmp_path) as servers:
            result = race(servers, rounds=len(OCI_RACES), races=OCI_RACES)

        assert result.problems == []
        assert result.answers["push 201"] >= CLIENTS
        assert result.answers["artifact 201"] == result.answers["move 201"] == CLIENTS

    def test_between_replicas_with_one_catalog(self, tmp_path: Path, best_s3: s3server.S3, postgres_url: str) -> None:
        with arranged("replicas-postgres", tmp_path, s3=best_s3, database=postgres_url) as servers:
            assert race(servers, rounds=len(OCI_RACES), races=OCI_RACES).problems == []

    def test_between_replicas_that_share_nothing_but_a_bucket(self, tmp_path: Path, best_s3: s3server.S3) -> None:
        with arranged("replicas-bucket", tmp_path, s3=best_s3) as servers:
            assert race(servers, rounds=len(OCI_RACES), races=OCI_RACES).problems == []


class TestFaults:
    """What is at hand is served, the rest says why not, and all works again without a start."""

    @pytest.mark.parametrize("scene", [faults.full_disk, faults.full_state, faults.one_full_disk])
    def test_a_full_disk(self, tmp_path: Path, scene: Callable[[Path], AbstractContextManager[Scene]]) -> None:
        try:
            with scene(tmp_path) as what:
                outcome = suffer(what)
        except tools.UnobtainableError as problem:
            tools.give_up(problem)

        assert outcome.problems == []
        assert outcome.answers["writes"][507]

    @pytest.mark.parametrize(
        "fault", [SLOW_DOWN, LOST_REQUEST, SILENCE_UNHEARD], ids=["answers-503", "breaks-off", "is-silent"]
    )
    def test_a_bucket_that(self, tmp_path: Path, moto_s3: s3server.S3, fault: Fault) -> None:
        with faults.bucket_faults(tmp_path, moto_s3, fault) as scene:
            outcome = suffer(scene)

        assert outcome.problems == []
        assert outcome.answers["writes"][503]

    @pytest.mark.real_s3
    def test_a_bucket_that_cannot_be_reached(self, tmp_path: Path, real_gateway: s3server.Gateway) -> None:
        with faults.gateway_stopped(tmp_path, real_gateway) as scene:
            assert suffer(scene).problems == []

    @pytest.mark.parametrize("harm", [faults.delete_catalog, faults.spoil_catalog, faults.empty_catalog])
    def test_a_catalog_that_is_no_more(self, tmp_path: Path, harm: Callable[[Path], None]) -> None:
        with faults.catalog_harmed(tmp_path, harm) as scene:
            assert suffer(scene).problems == []

    def test_postgresql_that_stops(self, tmp_path: Path, postgres: Postgres, postgres_url: str) -> None:
        with faults.postgres_stopped(tmp_path, postgres, postgres_url) as scene:
            outcome = suffer(scene)

        assert outcome.problems == []
        assert outcome.answers["writes"][503]

    def test_a_background_process_that_dies(self, tmp_path: Path) -> None:
        with faults.background_killed(tmp_path) as scene:
            assert suffer(scene).problems == []


def test_large_uploads_are_not_held_in_memory(tmp_path: Path) -> None:
    result = crowd(Folder(tmp_path / "data"), tmp_path, rounds=2)

    assert set(result.answers) == {"201"}
    assert max(result.peaks) - result.idle < CLIENTS * LARGEST / (1 << 20) / 2


class TestTheAudit:
    """It sees each kind of broken promise."""

    @staticmethod
    def _publish(server: Server, ledger: Ledger, name: str) -> Upload:
        upload = make(Key("team", name, "1.0.0"), random.Random(name), signed=True)
        ledger.begin(upload.key, upload.content.package)
        note_upload(ledger, upload, send(server.url, upload), kind="uploads")
        return upload

    def test_finds_what_was_lost_cut_and_exchanged(self, tmp_path: Path) -> None:
        place, ledger, findings = Folder(tmp_path / "data"), Ledger(), Findings()
        with running(tmp_path, "--open-writes", "--sync-interval", "0") as server:
            for name in ("sound", "lost", "half", "other"):
                self._publish(server, ledger, name)
            folder = place.folder / "team"
            (folder / "lost-1.0.0.tgz").unlink()
            (folder / "half-1.0.0.tgz").write_bytes((folder / "half-1.0.0.tgz").read_bytes()[:100])
            other = make(Key("team", "other", "1.0.0"), random.Random(0))
            (folder / "other-1.0.0.tgz").write_bytes(other.package)
            ask("POST", f"{server.url}/api/sync")
            audit([server.url], ledger, place, findings)

        assert {sentence.partition("-")[0] for sentence in findings.lost} == {"team/lost", "team/half"}
        assert {sentence.partition("-")[0] for sentence in findings.half} == {"team/half", "team/other"}
        assert {sentence.partition("-")[0] for sentence in findings.wrong_bytes} == {"team/half", "team/other"}
        assert findings.leftovers == {"team/lost-1.0.0.tgz.prov: provenance without a package"}

    def test_finds_a_deleted_package_that_came_back(self, tmp_path: Path) -> None:
        place, ledger, findings = Folder(tmp_path / "data"), Ledger(), Findings()
        with running(tmp_path, "--open-writes") as server:
            upload = self._publish(server, ledger, "app")
            ledger.acknowledge(upload.key, Content(""), "deletes")
            audit([server.url], ledger, place, findings)

        assert findings.lost

    def test_takes_either_content_after_a_request_without_an_answer(self, tmp_path: Path) -> None:
        place, ledger, findings = Folder(tmp_path / "data"), Ledger(), Findings()
        with running(tmp_path, "--open-writes") as server:
            upload = self._publish(server, ledger, "app")
            ledger.doubt(upload.key, Content(digest(b"something else")))
            audit([server.url], ledger, place, findings)

        assert findings.broken == []


def test_the_ledger_notices_an_answer_that_cannot_be() -> None:
    ledger, key = Ledger(), Key("", "app", "1.0.0")
    ledger.begin(key)
    ledger.learn(key, lambda content: bool(content.package), "409 said that it exists")

    assert ledger.strange == ["app-1.0.0.tgz: 409 said that it exists, which is not so"]
