"""Metrics for Prometheus, right with several worker processes: each counts in a file of its own, a scrape adds them up.

Labels are bounded: routes are templates, methods and statuses the known ones, repositories those that exist. No name of
a chart or version, and nothing else that a client makes up, becomes a label.
"""

import logging
import os
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector
from prometheus_client.values import MultiProcessValue

from chartrepo import metrics_files, metrics_runs
from chartrepo.core.errors import ChartrepoError
from chartrepo.version import __version__

log = logging.getLogger(__name__)

UploadResult = Literal["created", "replaced", "refused", "conflict", "too_large", "denied", "failed"]
SyncResult = Literal["done", "failed"]
IndexForm = Literal["yaml", "json"]

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_OTHER: Final = "other"
_REQUEST_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_WORK_SECONDS: Final = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300)
_LOOK_EVERY: Final = 1.0
"""Seconds between two looks of a process whether its files are still there."""
_LOOK_AFTER_FAILURE: Final = 60.0


@dataclass(frozen=True, slots=True)
class RepositoryFigures:
    """What the catalog holds of one repository.

    Attributes:
        repository: its name, "" for the root.
        charts: how many names.
        versions: how many packages are served.
        size: bytes of these packages.
        set_aside: packages that lie in storage and cannot be served.
        hidden: packages that policies keep from being served.
    """

    repository: str
    charts: int
    versions: int
    size: int
    set_aside: int
    hidden: int = 0


class _Identity:
    """Reads as the id of a process, and is equal to nothing but itself."""

    def __init__(self) -> None:
        self._id = os.getpid()

    def __str__(self) -> str:
        return str(self._id)


class _Process:
    """The identity of this process, without asking the system for it at every count.

    Where it is not the one of the last count, the library opens files anew, as after a fork.
    """

    def __init__(self) -> None:
        self.renew()
        os.register_at_fork(after_in_child=self.renew)

    def renew(self) -> None:
        """Have new files opened with the next count."""
        self._identity = _Identity()

    def __call__(self) -> _Identity:
        return self._identity


_own_process: Final = _Process()


class Unmeasured:
    """What can be measured, for a server that does not measure: every method does nothing."""

    def request(self, route: str | None, method: str, status: int, seconds: float) -> None:
        """Count an answered request.

        Args:
            route: the template that matched, such as `/<repository>/index.yaml`; None when none did.
            method: as the client sent it.
            status: of the answer.
            seconds: until its last byte.
        """

    def upload(self, result: UploadResult) -> None:
        """Count an upload by how it ended."""

    def storage_call(self, operation: str, seconds: float, failed: str | None = None) -> None:
        """Count a call of a storage driver's method; `failed` names the class of what it raised."""

    def sync(self, result: SyncResult, seconds: float, *, found: int = 0, changed: int = 0, now: float = 0) -> None:
        """Count a comparison of storage and catalog.

        Args:
            result: how it ended.
            seconds: how long it took.
            found: packages that the storage listed; not looked at when the sync failed.
            changed: entries added to, changed in and dropped from the catalog.
            now: seconds since the epoch; not looked at when the sync failed.
        """

    def index_render(self, form: IndexForm, seconds: float) -> None:
        """Count the rendering of an index."""

    def audit_lost(self) -> None:
        """Count an audit record that only the log has."""

    def issuer_keys(self, issuer: str, worked: bool) -> None:  # noqa: FBT001 - as it is called
        """Count a try to get the keys of an issuer, by its name in the table of issuers, and whether it worked."""

    def worker_started(self) -> None:
        """Count the calling process among the workers that live."""

    def workers(self) -> int | None:
        """Return how many workers live; None where nobody counts."""
        return None


class _BoundRequest:
    """Counts answers of one kind, without the library's checks, which take longer than the counting."""

    def __init__(self, counter: Counter, seconds: Histogram) -> None:
        # ruff: noqa: SLF001 - there is no public way in
        self._count = counter._value.inc
        self._sum = seconds._sum.inc
        self._bounds = seconds._upper_bounds
        self._buckets = [bucket.inc for bucket in seconds._buckets]

    def count(self, seconds: float) -> None:
        self._count(1)
        self._sum(seconds)
        self._buckets[bisect_left(self._bounds, seconds)](1)


class Metrics(Unmeasured):
    """Counts, in files under a directory that all processes of one server share.

    The library keeps that directory in a variable of the process, so there is one `Metrics` to a process. It may be
    made before workers are forked or in each of them.

    Where somebody removes the directory, each process makes it again and counts anew, in new files, as soon as it
    notices: within a second, with the next thing it counts.

    Args:
        directory: of this run of the server, as from `metrics_runs.begin`.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._held = metrics_runs.hold(directory)
        # The library looks at the variable once, when it is imported, and again when it opens a file. The first is too
        # early for us; a value class of our own choosing is its documented way around it.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)
        metrics_files.use()
        values.ValueClass = MultiProcessValue(_own_process)  # type: ignore[no-untyped-call] # it has no annotations
        self._requests = Counter(
            "chartrepo_http_requests", "Requests answered", ["route", "method", "status"], registry=None
        )
        self._request_seconds = Histogram(
            "chartrepo_http_request_duration_seconds",
            "Time until the last byte of an answer",
            ["route", "method"],
            registry=None,
            buckets=_REQUEST_SECONDS,
        )
        self._uploads = Counter("chartrepo_uploads", "Uploads by how they ended", ["result"], registry=None)
        self._storage_calls = Counter(
            "chartrepo_storage_calls", "Calls of the storage", ["operation", "result"], registry=None
        )
        self._storage_seconds = Histogram(
            "chartrepo_storage_call_duration_seconds",
            "Time that calls of the storage took",
            ["operation"],
            registry=None,
            buckets=_REQUEST_SECONDS,
        )
        self._syncs = Counter("chartrepo_syncs", "Comparisons of storage and catalog", ["result"], registry=None)
        self._sync_seconds = Histogram(
            "chartrepo_sync_duration_seconds", "Time a comparison took", registry=None, buckets=_WORK_SECONDS
        )
        self._sync_changes = Counter(
            "chartrepo_sync_changes", "Catalog entries that comparisons added, changed or dropped", registry=None
        )
        self._sync_found = Gauge(
            "chartrepo_sync_packages",
            "Packages that the last comparison found in storage",
            registry=None,
            multiprocess_mode="mostrecent",
        )
        self._sync_success = Gauge(
            "chartrepo_sync_last_success_timestamp_seconds",
            "When storage and catalog were last brought in line",
            registry=None,
            multiprocess_mode="mostrecent",
        )
        self._renders = Histogram(
            "chartrepo_index_render_duration_seconds",
            "Time that rendering an index took",
            ["form"],
            registry=None,
            buckets=_WORK_SECONDS,
        )
        self._audit_lost = Counter(
            "chartrepo_audit_lost", "Audit records that could not be kept, and are in the log alone", registry=None
        )
        self._issuer_keys = Counter(
            "chartrepo_issuer_keys", "Times issuers were asked for their keys", ["issuer", "result"], registry=None
        )
        self._workers = Gauge("chartrepo_workers", "Worker processes alive", registry=None, multiprocess_mode="livesum")
        self._bound_requests: dict[tuple[str | None, str, int], _BoundRequest] = {}
        self._levels: dict[Gauge, float] = {}
        self._looking = threading.Lock()
        self._look_at = 0.0

        # A series that begins at zero lets the first failure be seen as a rise.
        for upload in get_args(UploadResult):
            self._uploads.labels(upload)
        for sync in get_args(SyncResult):
            self._syncs.labels(sync)

    def request(self, route: str | None, method: str, status: int, seconds: float) -> None:
        """Count an answered request, see `Unmeasured.request`."""
        self._look_if_due()
        key = (route, method, status)
        bound = self._bound_requests.get(key)
        if bound is None:
            bound = self._bind_request(route, method, status)
            # A method that nobody knows stays out, or clients could fill the memory with methods they make up.
            if method in _METHODS:
                self._bound_requests[key] = bound
        bound.count(seconds)

    def _bind_request(self, route: str | None, method: str, status: int) -> "_BoundRequest":
        route = _OTHER if route is None else route
        method = method if method in _METHODS else _OTHER
        return _BoundRequest(
            self._requests.labels(route, method, str(status)), self._request_seconds.labels(route, method)
        )

    def upload(self, result: UploadResult) -> None:
        """Count an upload by how it ended."""
        self._look_if_due()
        self._uploads.labels(result).inc()

    def storage_call(self, operation: str, seconds: float, failed: str | None = None) -> None:
        """Count a call of the storage, see `Unmeasured.storage_call`."""
        self._look_if_due()
        self._storage_calls.labels(operation, failed or "ok").inc()
        self._storage_seconds.labels(operation).observe(seconds)

    def sync(self, result: SyncResult, seconds: float, *, found: int = 0, changed: int = 0, now: float = 0) -> None:
        """Count a comparison of storage and catalog, see `Unmeasured.sync`."""
        self._look_if_due()
        self._syncs.labels(result).inc()
        self._sync_seconds.observe(seconds)
        self._sync_changes.inc(changed)
        if result == "done":
            self._set(self._sync_found, found)
            self._set(self._sync_success, now)

    def index_render(self, form: IndexForm, seconds: float) -> None:
        """Count the rendering of an index."""
        self._look_if_due()
        self._renders.labels(form).observe(seconds)

    def audit_lost(self) -> None:
        """Count an audit record that only the log has."""
        self._look_if_due()
        self._audit_lost.inc()

    def issuer_keys(self, issuer: str, worked: bool) -> None:  # noqa: FBT001 - as it is called
        """Count a try to get keys, see `Unmeasured.issuer_keys`."""
        self._look_if_due()
        self._issuer_keys.labels(issuer, "done" if worked else "failed").inc()

    def worker_started(self) -> None:
        """Count the calling process among the workers that live."""
        self._set(self._workers, 1)

    def workers(self) -> int | None:
        """Return how many workers live; None where nobody counts."""
        if not self._directory.is_dir():
            return None
        registry = CollectorRegistry(auto_describe=False)
        MultiProcessCollector(registry, path=str(self._directory))  # type: ignore[no-untyped-call] # it has no annotations
        return int(
            sum(
                sample.value
                for metric in registry.collect()
                if metric.name == "chartrepo_workers"
                for sample in metric.samples
            )
        )

    def _set(self, gauge: Gauge, value: float) -> None:
        self._levels[gauge] = value
        gauge.set(value)

    # ---- files that somebody removed

    def _look_if_due(self) -> None:
        if time.monotonic() >= self._look_at:
            self._look()

    def _look(self) -> None:
        """Go on in new files where the old ones are no longer what a scrape finds."""
        with self._looking:
            self._look_at = time.monotonic() + _LOOK_EVERY
            if not any(metrics_files.is_lost(value) for value in self._one_of_each_file()):
                return
            try:
                held = metrics_runs.hold(self._directory)
            except OSError as error:
                log.warning("nothing can be counted: %s: %s", self._directory, error.strerror)
                self._look_at = time.monotonic() + _LOOK_AFTER_FAILURE
                return
            os.close(self._held)
            self._held = held
            _own_process.renew()
            self._uploads.labels("created").inc(0)
            for gauge, value in self._levels.items():
                gauge.set(value)

    def _one_of_each_file(self) -> tuple[object, ...]:
        """One value of each file that the library counts in."""
        counter = self._uploads.labels("created")._value
        return (counter, self._sync_seconds._sum, self._sync_found._value, self._workers._value)

    def render(
        self, figures: Callable[[], Iterable[RepositoryFigures]], files: Callable[[], Mapping[str, bool]] = dict
    ) -> tuple[str, bytes]:
        """Content type and body of an answer to a scrape.

        Args:
            figures: asks the catalog. It may raise `ChartrepoError`: the rest is rendered all the same, and
                `chartrepo_catalog_up` is 0.
            files: tells of the files that are read again when they change, by their settings, whether they can be used.
        """
        self._look()
        registry = CollectorRegistry(auto_describe=False)
        if self._directory.is_dir():
            MultiProcessCollector(registry, path=str(self._directory))  # type: ignore[no-untyped-call] # it has no annotations
        registry.register(_Now(figures, files))
        return CONTENT_TYPE_PLAIN_0_0_4, generate_latest(registry)


def worker_died(directory: Path, pid: int) -> None:
    """Count a process no longer among those that live; what it counted in `directory` stays."""
    mark_process_dead(pid, str(directory))  # type: ignore[no-untyped-call] # it has no annotations


class _Now(Collector):
    """What is asked at the moment of the scrape."""

    def __init__(
        self, figures: Callable[[], Iterable[RepositoryFigures]], files: Callable[[], Mapping[str, bool]]
    ) -> None:
        self._figures = figures
        self._files = files

    def describe(self) -> Iterable[Metric]:
        """Nothing: a registry would else ask the catalog merely to learn the names."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """The figures by repository, whether they could be had, the state of files, and the release."""
        charts = GaugeMetricFamily("chartrepo_charts", "Charts, by repository", labels=["repository"])
        versions = GaugeMetricFamily("chartrepo_chart_versions", "Packages served", labels=["repository"])
        size = GaugeMetricFamily("chartrepo_package_bytes", "Bytes of the packages served", labels=["repository"])
        aside = GaugeMetricFamily(
            "chartrepo_packages_set_aside", "Packages in storage that cannot be served", labels=["repository"]
        )
        hidden = GaugeMetricFamily(
            "chartrepo_packages_hidden", "Packages that policies keep from being served", labels=["repository"]
        )
        up = 1
        try:
            for each in self._figures():
                charts.add_metric([each.repository], each.charts)
                versions.add_metric([each.repository], each.versions)
                size.add_metric([each.repository], each.size)
                aside.add_metric([each.repository], each.set_aside)
                hidden.add_metric([each.repository], each.hidden)
        except ChartrepoError:
            up = 0
        yield from (charts, versions, size, aside, hidden)
        yield GaugeMetricFamily("chartrepo_catalog_up", "Whether the catalog answered this scrape", value=up)
        usable = GaugeMetricFamily(
            "chartrepo_access_file_ok",
            "Whether a file about access or policies can be used as it is now",
            labels=["setting"],
        )
        for setting, ok in self._files().items():
            usable.add_metric([setting], int(ok))
        yield usable
        build = GaugeMetricFamily("chartrepo_build_info", "The release that runs", labels=["version"])
        build.add_metric([__version__], 1)
        yield build
