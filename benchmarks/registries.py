#!/usr/bin/env python3
"""Measure OCI registries side by side: `benchmarks/registries.py --help`.

All of them run at the same time and are asked in turn, round by round, so that a slow phase of the machine is
everybody's. The best round of each counts, but for the time of pushes, of which the median does.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final

if __package__ in {None, ""}:  # started as a script: then Python looks for modules beside this file only
    sys.path.insert(0, f"{Path(__file__).resolve().parents[1]}")

from benchmarks import charts, load, report, servers
from benchmarks.charts import Corpus
from benchmarks.load import LoadFailedError
from benchmarks.measures import EXPECTED_ERRORS, Value, Values
from benchmarks.oci_client import MANIFEST, LargeFile, RegistryClient
from benchmarks.servers import Command, Server

_DISTRIBUTION: Final = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {storage}}}
  delete: {{enabled: true}}
http: {{addr: "127.0.0.1:{port}"}}
"""
_SMALL: Final = 4096
_MIB: Final = 2**20
_START_SECONDS: Final = 300
_EMPTY: Final = b"{}"
_MANY: Final = "many"
"""The chart whose versions are listed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run.

    Attributes:
        commands: servers that speak OCI and serve a folder of packages; the first one is compared with the others.
        distribution: the binary of a CNCF distribution to compare with, or None.
        helm: the binary that pushes, or None.
        rounds: how often each is asked.
        pushes: of a round.
        size: of a large blob, in bytes.
        tags: of the OCI repository whose tags are listed.
        folder: where everything is kept meanwhile.
        output: where the JSON goes, or None.
    """

    commands: Sequence[Command]
    distribution: str | None
    helm: Path | None
    rounds: int
    pushes: int
    size: int
    tags: int
    folder: Path | None
    output: Path | None


@dataclass(slots=True)
class Subject:
    """A running registry.

    Attributes:
        name: of it, in the report.
        server: that runs.
        chart: that has many versions; empty where there is none yet.
        peak: what its processes held at most, in MiB, while large blobs went in and out.
    """

    name: str
    server: Server
    chart: str = ""
    peak: float = 0.0

    def client(self, name: str) -> RegistryClient:
        """Return a connection for an OCI repository."""
        return RegistryClient(self.server.url, name)


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, measure, print the table."""
    plan = _parse(sys.argv[1:] if arguments is None else arguments)
    machine = report.machine()
    with tempfile.TemporaryDirectory(prefix="registries-", dir=plan.folder) as folder:
        results = run(plan, Path(folder))
    if plan.output is not None:
        told = {"machine": machine, "results": report.as_json(results), "factors": report.factors(results)}
        plan.output.write_text(json.dumps(told, indent=1) + "\n")
    print(report.table(results))
    return int(any(value.value is None for values in results.values() for value in values.values()))


def _parse(arguments: Sequence[str]) -> Plan:
    parser = argparse.ArgumentParser(prog="benchmarks/registries.py", description=__doc__)
    add = parser.add_argument
    add("--server", type=Command.parse, action="append", required=True, metavar="NAME=LINE", help="may be repeated")
    add("--distribution", metavar="PATH", help="the `registry` of CNCF distribution, to compare with")
    add("--helm", type=Path, metavar="PATH", help="a helm that pushes")
    add("--rounds", type=int, default=3, metavar="N", help="how often each is asked (3)")
    add("--pushes", type=int, default=40, metavar="N", help="of a round (40)")
    add("--size", type=int, default=1024, metavar="MIB", help="of a large blob (1024)")
    add("--tags", type=int, default=10_000, metavar="N", help="that are listed (10000)")
    add("--folder", type=Path, metavar="DIR", help="where everything is kept meanwhile")
    add("--json", type=Path, metavar="FILE", help="write everything here")
    told = parser.parse_args(arguments)
    return Plan(
        told.server,
        told.distribution,
        told.helm,
        told.rounds,
        told.pushes,
        told.size * _MIB,
        told.tags,
        told.folder,
        told.json,
    )


def run(plan: Plan, folder: Path) -> dict[str, Values]:
    """Measure all registries."""
    results: dict[str, Values] = {}
    for measures, versions in (((_blobs, _pushes, _large), 0), ((_tags,), plan.tags)):
        with tempfile.TemporaryDirectory(dir=folder) as place, ExitStack() as stack:
            subjects = [stack.enter_context(_started(each, versions, Path(place))) for each in plan.commands]
            if plan.distribution is not None:
                subjects.append(stack.enter_context(_distribution(plan.distribution, Path(place))))
            for measure in measures:
                for name, values in measure(plan, subjects, Path(place)).items():
                    results.setdefault(name, {}).update(values)
                    for title, value in values.items():
                        shown = "-" if value.value is None else f"{value.value:.4g}"
                        print(f"{name}, {title}: {shown} {value.unit} {value.reason}", file=sys.stderr)
    return results


@contextmanager
def _started(command: Command, versions: int, folder: Path) -> Iterator[Subject]:
    """Start one of ours on so many versions of a chart."""
    own = folder / command.name
    (own / "state").mkdir(parents=True)
    corpus = Corpus(charts.own_template(), count=versions, per_chart=versions or 1)
    (own / "packages").mkdir()
    corpus.write(own / "packages")
    port = servers.free_port()
    words = command.filled(port=port, storage=f"{own / 'packages'}", state=own / "state")
    with Server(words, port, own / "log", own) as server:
        servers.wait_for_port(server, seconds=_START_SECONDS)
        load.wait_for(f"{server.url}/readyz", seconds=_START_SECONDS)
        yield Subject(command.name, server, chart=next((release.chart for release in corpus.releases()), ""))


@contextmanager
def _distribution(binary: str, folder: Path) -> Iterator[Subject]:
    own = folder / "distribution"
    own.mkdir()
    port = servers.free_port()
    configuration = own / "config.yml"
    configuration.write_text(_DISTRIBUTION.format(storage=own / "registry", port=port))
    with Server((binary, "serve", f"{configuration}"), port, own / "log", own) as server:
        servers.wait_for_port(server, seconds=_START_SECONDS)
        yield Subject("distribution", server)


Found = dict[str, Values]


def _each(
    plan: Plan, subjects: Sequence[Subject], title: str, unit: str, measure: Callable[[Subject, int], float]
) -> dict[str, list[float]]:
    """Ask all registries in turn, round by round; what each round of each gave."""
    found: dict[str, list[float]] = {subject.name: [] for subject in subjects}
    for number in range(plan.rounds):
        for subject in subjects:
            try:
                found[subject.name].append(measure(subject, number))
            except EXPECTED_ERRORS as error:
                print(f"{subject.name}, {title} ({unit}): {error}", file=sys.stderr)
    return found


def _values(found: dict[str, list[float]], title: str, unit: str, best: Callable[[list[float]], float]) -> Found:
    return {
        name: {title: Value(best(each), unit, detail={"rounds": each}) if each else Value(None, unit, "it failed")}
        for name, each in found.items()
    }


def _blobs(plan: Plan, subjects: Sequence[Subject], _folder: Path) -> Found:
    """GETs of a small blob."""

    def rate(subject: Subject, _round: int) -> float:
        with closing(subject.client("bench/small")) as client:
            path = f"/v2/bench/small/blobs/{client.push_blob(bytes(_SMALL))}"
        return load.get_rate(subject.server.url, [path], seconds=3).per_second

    title = f"blob of {_SMALL} bytes, GET"
    return _values(_each(plan, subjects, title, "/s", rate), title, "/s", max)


def _artifact(client: RegistryClient) -> dict[str, object]:
    empty = {
        "mediaType": "application/vnd.oci.empty.v1+json",
        "digest": client.push_blob(_EMPTY),
        "size": len(_EMPTY),
    }
    return {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": "application/vnd.example.bench",
        "config": empty,
        "layers": [empty],
    }


def _tags(plan: Plan, subjects: Sequence[Subject], _folder: Path) -> Found:
    """Listing all tags of an OCI repository: versions of ours, and tags of one manifest of others."""
    title = f"tags/list of {plan.tags:,}"
    for subject in subjects:
        if not subject.chart:
            subject.chart = _MANY
            with closing(subject.client(_MANY)) as client:
                document = _artifact(client)
                for number in range(plan.tags):
                    client.push_manifest(f"0.{number}.0", document)

    def listed(subject: Subject, _round: int) -> float:
        with closing(subject.client(subject.chart)) as client:
            times = []
            for _ in range(5):
                with load.timed() as took:
                    answer = client.request("GET", "tags/list")
                times.append(took.seconds * 1000)
            if answer.status != HTTPStatus.OK or len(json.loads(answer.body)["tags"]) < min(plan.tags, 100):
                raise LoadFailedError(f"tags/list gave {answer.body[:100]!r}")
            return statistics.median(times)

    return _values(_each(plan, subjects, title, "ms", listed), title, "ms", min)


def _pushes(plan: Plan, subjects: Sequence[Subject], folder: Path) -> Found:
    """`helm push`, one after another."""
    if plan.helm is None:
        return {}
    title = f"{plan.pushes} helm pushes"
    packages = folder / "to-push"
    packages.mkdir()
    corpus = Corpus(charts.helm_template(plan.helm), count=plan.rounds * plan.pushes, per_chart=plan.pushes)
    corpus.write(packages)
    files = sorted(packages.glob("*.tgz"))
    helm = plan.helm

    def push(subject: Subject, number: int) -> float:
        with load.timed() as took:
            for file in files[number * plan.pushes : (number + 1) * plan.pushes]:
                target = f"oci://127.0.0.1:{subject.server.port}/bench/pushed"
                subprocess.run([helm, "push", file, target, "--plain-http"], check=True, capture_output=True)
        return took.seconds

    return _values(_each(plan, subjects, title, "s", push), title, "s", statistics.median)


def _large(plan: Plan, subjects: Sequence[Subject], folder: Path) -> Found:
    """A large blob, up in both ways, and down."""
    file = LargeFile.make(folder / "large", plan.size)
    size = f"{plan.size / _MIB:.0f} MiB"
    results: Found = {subject.name: {} for subject in subjects}
    # Uploads go to a new name each: of a blob that is there a registry need not write anything.
    for title, name, act in (
        (f"{size} up by PUT", "bench/put-{}", RegistryClient.put_large),
        (f"{size} up by PATCH and PUT", "bench/patch-{}", RegistryClient.patch_large),
        (f"{size} down", "bench/put-0", RegistryClient.get_large),
    ):

        def rate(subject: Subject, number: int, name: str = name, act: Act = act) -> float:
            with closing(subject.client(name.format(number))) as client, _weighed(subject):
                return plan.size / _MIB / act(client, file)

        for server, values in _values(_each(plan, subjects, title, "MiB/s", rate), title, "MiB/s", max).items():
            results[server] |= values
    for subject in subjects:
        results[subject.name]["memory meanwhile"] = Value(subject.peak, "MiB")
    return results


Act = Callable[[RegistryClient, LargeFile], float]


@contextmanager
def _weighed(subject: Subject) -> Iterator[None]:
    """Take note of what a server's processes hold at most meanwhile."""
    over = threading.Event()

    def weigh() -> None:
        while not over.wait(0.1):
            subject.peak = max(subject.peak, subject.server.memory())

    thread = threading.Thread(target=weigh)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


if __name__ == "__main__":
    sys.exit(main())
