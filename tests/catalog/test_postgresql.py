"""What can happen to a catalog that is in a PostgreSQL server."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.errors import DiskFull

from chartrepo.catalog import Catalog, open_catalog
from chartrepo.catalog.postgresql import SCHEMA, _meaning
from chartrepo.core.errors import (
    CatalogClosed,
    CatalogFull,
    CatalogIncomplete,
    CatalogMisconfigured,
    CatalogUnavailable,
)
from tests.support.catalogs import Place, build, package, record
from tests.support.postgres import ASKED, Postgres


@pytest.fixture
def place(shared_database: str, tmp_path: Path) -> Place:
    return Place(shared_database, tmp_path / "locks")


@pytest.fixture
def administrator(shared_database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(shared_database, autocommit=True) as connection:
        yield connection


def _cut_all_others(administrator: psycopg.Connection) -> None:
    administrator.execute(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


def test_the_first_use_after_the_server_came_back_works(catalog: Catalog, postgres: Postgres) -> None:
    record(catalog, package())
    with catalog.exclusive("", "app-1.0.0.tgz"):
        catalog.mark("")  # two connections are idle now
    before = catalog.mark("")
    postgres.stop()
    try:
        for ask in (
            lambda: catalog.mark(""),
            lambda: catalog.package("", "app-1.0.0.tgz"),
            lambda: list(catalog.states()),
            lambda: record(catalog, package("b")),
            lambda: catalog.needs_rebuild,
        ):
            with pytest.raises(CatalogUnavailable, match="PostgreSQL"):
                ask()
    finally:
        postgres.start()
    assert catalog.mark("") == before
    record(catalog, package("b"))


def test_what_clients_are_told_names_no_host_and_the_detail_does(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        catalog = open_catalog(f"postgresql://secret@127.0.0.1:{port}/db", lock_dir=tmp_path, storage_id="x")
        with pytest.raises(CatalogUnavailable) as caught:
            catalog.mark("")
    assert "PostgreSQL" in str(caught.value)
    assert not {"127.0.0.1", str(port), "secret"} & set(re.findall(r"[\w.]+", str(caught.value)))
    assert str(port) in caught.value.detail
    assert not isinstance(caught.value, CatalogClosed)


class TestAServerThatLetsNobodyIn:
    @staticmethod
    def refusal(url: str, folder: Path) -> CatalogClosed:
        with pytest.raises(CatalogClosed, match="the catalog's PostgreSQL fails: try again soon") as caught:
            open_catalog(url, lock_dir=folder, storage_id="x").mark("")
        assert "\n" not in caught.value.detail
        assert "secret" not in caught.value.detail
        return caught.value

    def test_for_want_of_the_database_says_to_make_it(self, shared_database: str, tmp_path: Path) -> None:
        told = self.refusal(f"{shared_database}_not", tmp_path).detail
        assert re.search('does not let us in: database "test_.*_not" does not exist: make it with createdb', told)

    def test_for_want_of_the_role_says_to_make_it(self, shared_database: str, tmp_path: Path) -> None:
        told = self.refusal(shared_database.replace("postgres@", "nobody:secret@"), tmp_path).detail
        assert 'role "nobody" does not exist: make it with createuser' in told

    def test_for_a_wrong_password_or_none_says_to_check_it(
        self, shared_database: str, administrator: psycopg.Connection, tmp_path: Path
    ) -> None:
        administrator.execute(f"CREATE ROLE {ASKED} LOGIN PASSWORD 'right'")
        try:
            for credential in (f"{ASKED}:secret@", f"{ASKED}@"):
                told = self.refusal(shared_database.replace("postgres@", credential), tmp_path).detail
                assert told.endswith(": check user and password in catalog")
        finally:
            administrator.execute(f"DROP ROLE {ASKED}")

    @pytest.mark.parametrize(
        "said",
        [
            "the database system is starting up",
            "sorry, too many clients already",
            'database "x" is not currently accepting connections',
        ],
    )
    def test_only_for_now_is_an_outage(self, said: str) -> None:
        assert not isinstance(_meaning(psycopg.OperationalError(f"connection failed: FATAL:  {said}")), CatalogClosed)


@pytest.mark.parametrize("first_use", ["mark", "changes", "exclusive", "sync_lock"])
def test_a_cut_connection_is_replaced_without_anybody_noticing(
    catalog: Catalog, administrator: psycopg.Connection, first_use: str
) -> None:
    with catalog.exclusive("", "app-1.0.0.tgz"):
        catalog.mark("")
    _cut_all_others(administrator)
    if first_use == "mark":
        catalog.mark("")
    elif first_use == "changes":
        list(catalog.states())
    elif first_use == "exclusive":
        record(catalog, package())
    else:
        with catalog.sync_lock() as mine:
            assert mine


def test_an_upload_whose_connection_is_cut_is_not_acknowledged(
    catalog: Catalog, administrator: psycopg.Connection
) -> None:
    def upload() -> None:
        with catalog.exclusive("", "app-1.0.0.tgz") as entry:
            _cut_all_others(administrator)
            entry.record(package())

    with pytest.raises(CatalogUnavailable):
        upload()
    assert catalog.versions("", "app") == []


def test_a_rebuild_whose_connection_is_cut_can_be_done_again(
    catalog: Catalog, administrator: psycopg.Connection
) -> None:
    def rebuild() -> None:
        with catalog.rebuilding() as building:
            _cut_all_others(administrator)
            building.load([package("b")])

    record(catalog, package())
    with pytest.raises(CatalogUnavailable):
        rebuild()
    build(catalog, package("c"))
    assert len(catalog.versions("", "c")) == 1
    assert catalog.versions("", "app") == []


def test_a_sync_whose_connection_is_cut_ends_in_peace(catalog: Catalog, administrator: psycopg.Connection) -> None:
    with catalog.sync_lock() as mine:
        assert mine
        _cut_all_others(administrator)
    with catalog.sync_lock() as mine:
        assert mine


def test_a_schema_made_by_an_administrator_is_used(unbuilt: Catalog, administrator: psycopg.Connection) -> None:
    administrator.execute(f"CREATE SCHEMA {SCHEMA}")
    assert unbuilt.needs_rebuild
    build(unbuilt, package())
    assert len(unbuilt.versions("", "app")) == 1


def test_a_user_that_may_not_make_the_schema_is_told_what_to_grant(
    shared_database: str, administrator: psycopg.Connection, tmp_path: Path
) -> None:
    administrator.execute("CREATE ROLE modest LOGIN")
    try:
        catalog = open_catalog(
            shared_database.replace("postgres@", "modest@"), lock_dir=tmp_path / "locks", storage_id="s"
        )
        with pytest.raises(CatalogMisconfigured, match="grant CREATE"):
            build(catalog)
        catalog.close()
    finally:
        administrator.execute("DROP ROLE modest")


def test_schemas_of_other_versions_are_pruned_and_nothing_else(
    catalog: Catalog, administrator: psycopg.Connection
) -> None:
    for name in ("chartrepo_v0", "chartrepo_v32", "chartrepo_vx", "chartrepo"):
        administrator.execute(f"CREATE SCHEMA {name}")
    assert catalog.prune() == ["chartrepo_v0", "chartrepo_v32"]
    assert catalog.prune() == []
    left = administrator.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'chartrepo%' ORDER BY 1")
    assert [name for (name,) in left] == ["chartrepo", SCHEMA, "chartrepo_vx"]


def test_an_upload_waits_for_the_one_before_it_but_not_for_ever(
    catalog: Catalog, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = place.open()
    monkeypatch.setattr("chartrepo.catalog.postgresql._BEGIN_WRITING", "BEGIN; SET LOCAL lock_timeout = '50ms'")
    with catalog.exclusive("", "app-1.0.0.tgz") as entry:
        with pytest.raises(CatalogUnavailable, match="too long"), other.exclusive("", "app-1.0.0.tgz"):
            pytest.fail("the block was entered")
        entry.record(package())
    record(other, package("b"))
    other.close()


def test_a_read_only_server_is_told(catalog: Catalog, administrator: psycopg.Connection, place: Place) -> None:
    administrator.execute(f"ALTER DATABASE {administrator.info.dbname} SET default_transaction_read_only = on")
    try:
        other = place.open()
        assert other.complete
        other.close()
    finally:
        administrator.execute(f"ALTER DATABASE {administrator.info.dbname} RESET default_transaction_read_only")


def test_a_full_disk_is_told() -> None:
    assert isinstance(_meaning(DiskFull("could not extend file")), CatalogFull)


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("postgresql://u:secret@127.0.0.1:1/d", CatalogUnavailable),
        ("postgresql://u:secret@h/d?nonsense=1", CatalogMisconfigured),
        ("postgresql://u:secret@h:port/d", CatalogUnavailable),
    ],
)
def test_what_goes_wrong_is_told_in_one_line_without_the_password(
    tmp_path: Path, url: str, error: type[Exception]
) -> None:
    with pytest.raises(error) as told:
        open_catalog(url, lock_dir=tmp_path, storage_id="s").mark("")
    assert "secret" not in str(told.value)
    assert "\n" not in str(told.value)


def test_a_server_that_does_not_answer_is_not_waited_for_by_everybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    connect = psycopg.connect

    def count(*args: object, **parameters: Any) -> psycopg.Connection:
        asked.append(parameters)
        return connect(*args, **parameters)

    monkeypatch.setattr(psycopg, "connect", count)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"postgresql://u@127.0.0.1:{mute.getsockname()[1]}/d?connect_timeout=2"
        catalog = open_catalog(url, lock_dir=tmp_path, storage_id="s")
        for _ in range(5):
            with pytest.raises(CatalogUnavailable, match="PostgreSQL"):
                catalog.mark("")
    assert len(asked) == 1
    catalog._engine._silence = catalog._engine._silence._replace(until=0.0)
    with pytest.raises(CatalogUnavailable, match="PostgreSQL"):
        catalog.mark("")
    assert len(asked) == 2


def test_nothing_is_known_of_a_catalog_that_was_never_built(unbuilt: Catalog) -> None:
    with pytest.raises(CatalogIncomplete):
        unbuilt.package("", "app-1.0.0.tgz")
