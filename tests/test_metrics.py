"""What a scrape shows, of one process and of several."""

import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from chartrepo.core.errors import CatalogUnavailable
from chartrepo.metrics import Metrics, RepositoryFigures, Unmeasured, worker_died
from chartrepo.version import __version__


@pytest.fixture
def metrics(tmp_path: Path) -> Metrics:
    return Metrics(tmp_path)


Sample = tuple[str, frozenset[tuple[str, str]]]


def scrape(metrics: Metrics, figures: Iterable[RepositoryFigures] = ()) -> dict[Sample, float]:
    """Every sample, by name and labels."""
    _, body = metrics.render(lambda: figures)
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def sample(found: dict[Sample, float], name: str, **labels: str) -> float:
    return found[f"chartrepo_{name}", frozenset(labels.items())]


class TestRequests:
    def test_are_counted_by_route_method_and_status(self, metrics: Metrics) -> None:
        for status in (200, 200, 503):
            metrics.request("/<repository>/index.yaml", "GET", status, 0.003)
        found = scrape(metrics)
        route = "/<repository>/index.yaml"
        assert sample(found, "http_requests_total", route=route, method="GET", status="200") == 2
        assert sample(found, "http_requests_total", route=route, method="GET", status="503") == 1

    def test_are_timed_in_a_histogram(self, metrics: Metrics) -> None:
        metrics.request("/x", "GET", 200, 0.003)
        metrics.request("/x", "GET", 200, 7)
        found = scrape(metrics)
        name, labels = "http_request_duration_seconds", {"route": "/x", "method": "GET"}
        assert sample(found, f"{name}_bucket", le="0.0025", **labels) == 0
        assert sample(found, f"{name}_bucket", le="0.005", **labels) == 1
        assert sample(found, f"{name}_bucket", le="+Inf", **labels) == 2
        assert sample(found, f"{name}_sum", **labels) == pytest.approx(7.003)

    def test_for_no_route_are_counted_together(self, metrics: Metrics) -> None:
        metrics.request(None, "GET", 404, 0.1)
        assert sample(scrape(metrics), "http_requests_total", route="other", method="GET", status="404") == 1

    def test_with_methods_that_clients_make_up_add_no_series_and_no_memory(self, metrics: Metrics) -> None:
        for number in range(50):
            metrics.request("/x", f"M{number}", 405, 0.1)
        found = scrape(metrics)
        assert sample(found, "http_requests_total", route="/x", method="other", status="405") == 50
        assert len([name for name, _ in found if name == "chartrepo_http_requests_total"]) == 1
        assert metrics._bound_requests == {}


class TestOtherCounts:
    def test_uploads_by_result_begin_at_zero(self, metrics: Metrics) -> None:
        metrics.upload("created")
        found = scrape(metrics)
        assert sample(found, "uploads_total", result="created") == 1
        assert sample(found, "uploads_total", result="refused") == 0

    def test_syncs_tell_when_the_last_one_succeeded_and_what_it_found(self, metrics: Metrics) -> None:
        metrics.sync("done", 1.5, found=10, changed=2, now=1_700_000_000)
        metrics.sync("failed", 0.5)
        found = scrape(metrics)
        assert sample(found, "syncs_total", result="done") == 1
        assert sample(found, "syncs_total", result="failed") == 1
        assert sample(found, "sync_packages") == 10
        assert sample(found, "sync_changes_total") == 2
        assert sample(found, "sync_last_success_timestamp_seconds") == 1_700_000_000
        assert sample(found, "sync_duration_seconds_count") == 2

    def test_renderings_by_form(self, metrics: Metrics) -> None:
        metrics.index_render("json", 0.2)
        assert sample(scrape(metrics), "index_render_duration_seconds_count", form="json") == 1

    def test_audit_records_that_were_lost_from_none_on(self, metrics: Metrics) -> None:
        assert sample(scrape(metrics), "audit_lost_total") == 0
        metrics.audit_lost()
        assert sample(scrape(metrics), "audit_lost_total") == 1

    def test_tries_to_get_keys_by_issuer_and_result(self, metrics: Metrics) -> None:
        for worked in (True, False, False):
            metrics.issuer_keys("github", worked)
        found = scrape(metrics)
        assert sample(found, "issuer_keys_total", issuer="github", result="done") == 1
        assert sample(found, "issuer_keys_total", issuer="github", result="failed") == 2

    def test_storage_calls_by_operation_and_result(self, metrics: Metrics) -> None:
        metrics.storage_call("open", 0.01)
        metrics.storage_call("open", 0.01, "NotFound")
        found = scrape(metrics)
        assert sample(found, "storage_calls_total", operation="open", result="ok") == 1
        assert sample(found, "storage_calls_total", operation="open", result="NotFound") == 1
        assert sample(found, "storage_call_duration_seconds_count", operation="open") == 2


class TestCatalog:
    def test_figures_are_shown_by_repository(self, metrics: Metrics) -> None:
        found = scrape(metrics, [RepositoryFigures("", 1, 2, 3, 4), RepositoryFigures('te"am\n', 5, 6, 7, 0)])
        assert sample(found, "charts", repository="") == 1
        assert sample(found, "chart_versions", repository="") == 2
        assert sample(found, "package_bytes", repository="") == 3
        assert sample(found, "packages_set_aside", repository="") == 4
        assert sample(found, "charts", repository='te"am\n') == 5
        assert sample(found, "catalog_up") == 1

    def test_that_does_not_answer_leaves_the_rest_standing(self, metrics: Metrics) -> None:
        def figures() -> Iterable[RepositoryFigures]:
            raise CatalogUnavailable("the database is gone")

        metrics.upload("created")
        _, body = metrics.render(figures)
        assert b"chartrepo_catalog_up 0.0" in body
        assert b'chartrepo_uploads_total{result="created"} 1.0' in body

    def test_the_release_is_shown(self, metrics: Metrics) -> None:
        assert sample(scrape(metrics), "build_info", version=__version__) == 1

    def test_the_content_type_is_the_text_format(self, metrics: Metrics) -> None:
        assert metrics.render(list)[0].startswith("text/plain; version=0.0.4")


def in_another_process(directory: Path, code: str) -> int:
    """Run code that has `metrics` in a process of its own, and give the process's id."""
    program = f"""
import os
from pathlib import Path
from chartrepo.metrics import Metrics
metrics = Metrics(Path({str(directory)!r}))
{code}
print(os.getpid())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1])


class TestProcesses:
    def test_counts_of_all_processes_are_added_up(self, metrics: Metrics, tmp_path: Path) -> None:
        metrics.request("/x", "GET", 200, 0.1)
        for _ in range(2):
            in_another_process(tmp_path, 'metrics.request("/x", "GET", 200, 0.1)')
        found = scrape(metrics)
        assert sample(found, "http_requests_total", route="/x", method="GET", status="200") == 3
        assert sample(found, "http_request_duration_seconds_count", route="/x", method="GET") == 3

    def test_a_fork_counts_for_itself(self, metrics: Metrics, tmp_path: Path) -> None:
        forking = """
metrics.upload("created")
pid = os.fork()
metrics.upload("created")
if not pid:
    os._exit(0)
os.waitpid(pid, 0)
"""
        in_another_process(tmp_path, forking)
        assert sample(scrape(metrics), "uploads_total", result="created") == 3

    def test_a_dead_worker_is_not_alive_but_what_it_counted_stays(self, metrics: Metrics, tmp_path: Path) -> None:
        metrics.worker_started()
        pid = in_another_process(tmp_path, 'metrics.worker_started(); metrics.upload("created")')
        assert sample(scrape(metrics), "workers") == 2
        worker_died(tmp_path, pid)
        found = scrape(metrics)
        assert sample(found, "workers") == 1
        assert sample(found, "uploads_total", result="created") == 1


class TestFilesThatSomebodyRemoves:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return tmp_path / "state" / "metrics"

    @pytest.fixture
    def metrics(self, folder: Path) -> Metrics:
        return Metrics(folder)

    def test_a_scrape_makes_the_folder_again_and_counts_begin_anew(self, metrics: Metrics, folder: Path) -> None:
        metrics.upload("created")
        shutil.rmtree(folder.parent)
        assert sample(scrape(metrics), "uploads_total", result="created") == 0
        metrics.upload("created")
        metrics.request("/x", "GET", 200, 0.1)
        found = scrape(metrics)
        assert sample(found, "uploads_total", result="created") == 1
        assert sample(found, "http_requests_total", route="/x", method="GET", status="200") == 1
        assert [oct(each.stat().st_mode & 0o777) for each in (folder, folder.parent)] == ["0o700", "0o700"]

    def test_what_is_no_count_is_kept(self, metrics: Metrics, folder: Path) -> None:
        metrics.worker_started()
        metrics.sync("done", 1.0, found=10, now=1_700_000_000)
        shutil.rmtree(folder)
        found = scrape(metrics)
        assert sample(found, "workers") == 1
        assert sample(found, "sync_packages") == 10
        assert sample(found, "sync_last_success_timestamp_seconds") == 1_700_000_000

    @pytest.mark.parametrize("kind", ["counter", "histogram", "gauge_livesum", "gauge_mostrecent"])
    def test_a_single_file_is_made_again_too(self, metrics: Metrics, folder: Path, kind: str) -> None:
        (file,) = folder.glob(f"{kind}_*")
        file.unlink()
        scrape(metrics)
        assert file.exists()

    def test_a_process_that_is_not_scraped_notices_with_what_it_counts(self, metrics: Metrics, folder: Path) -> None:
        removing = f"""
import shutil
import chartrepo.metrics
chartrepo.metrics._LOOK_EVERY = 0
metrics.worker_started()
metrics.upload("created")
shutil.rmtree({str(folder)!r})
metrics.upload("created")
"""
        in_another_process(folder, removing)
        found = scrape(metrics)
        assert sample(found, "uploads_total", result="created") == 1
        assert sample(found, "workers") == 1

    def test_where_the_folder_cannot_be_made_again_the_rest_is_shown(
        self, metrics: Metrics, folder: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        shutil.rmtree(folder)
        folder.touch()
        assert sample(scrape(metrics), "catalog_up") == 1
        assert str(folder) in caplog.text


def test_a_server_that_does_not_measure_has_the_same_methods() -> None:
    silent = Unmeasured()
    silent.request("/x", "GET", 200, 0.1)
    silent.upload("created")
    silent.storage_call("open", 0.1, "NotFound")
    silent.audit_lost()
    silent.sync("done", 1.0)
    silent.index_render("yaml", 0.1)
    silent.worker_started()
    assert vars(silent) == {}
