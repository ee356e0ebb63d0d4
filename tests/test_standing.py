"""How a server stands: its settings without what is secret, its catalog's size."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from chartrepo import assembly
from chartrepo.configuration import load
from chartrepo.metrics import Metrics, Unmeasured
from chartrepo.standing import Standing
from tests.support.site import GROUND


def standing(environ: Mapping[str, str], folder: Path) -> Standing:
    settings = load({f"CHARTREPO_{name}": value for name, value in environ.items()}, {}, Path.read_text).settings
    return assembly.standing(replace(settings, state_dir=folder), GROUND, Unmeasured())


def test_only_settings_that_were_changed_are_shown_and_no_secret(tmp_path: Path) -> None:
    given = {
        "ADMIN_PASSWORD": "sesame",
        "CATALOG": "postgresql://ada:sesame@db.internal/charts",
        "ALLOW_DELETE": "false",
        "MAX_UPLOAD_SIZE": "20MiB",
        "SYNC_INTERVAL": "30",
    }
    found = standing(given, tmp_path)
    shown = {each.name: each.value for each in found.changed_settings()}
    assert shown["admin_password"] == "set, and not shown"
    assert shown["allow_delete"] == "false"
    assert "sesame" not in repr(shown)
    assert "db.internal" in shown["catalog"]
    assert "port" not in shown
    assert "sesame" not in found.catalog
    assert found.catalog_size is None


def test_a_file_has_the_size_of_what_is_in_use(tmp_path: Path) -> None:
    found = standing({"CATALOG": f"sqlite:///{tmp_path}/catalog.sqlite"}, tmp_path)
    assert found.catalog_size == 0
    ground = replace(GROUND, storage_id="x")
    with closing(assembly.catalog(found.settings, ground)) as catalog:
        with catalog.rebuilding() as building:
            building.load([])
        assert (found.catalog_size or 0) > 10_000
    assert found.catalog.startswith(f"SQLite, {tmp_path}/catalog-v")
    assert (found.free or 0) > 0


def test_workers_are_counted_where_metrics_are(tmp_path: Path) -> None:
    assert Unmeasured().workers() is None
    counting = Metrics(tmp_path)
    assert counting.workers() == 0
    counting.worker_started()
    assert counting.workers() == 1
