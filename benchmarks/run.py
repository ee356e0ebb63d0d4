#!/usr/bin/env python3
"""Measure one server, or several one after another in the same run: `benchmarks/run.py --help`."""

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

if __package__ in {None, ""}:  # started as a script: then Python looks for modules beside this file only
    sys.path.insert(0, f"{Path(__file__).resolve().parents[1]}")

from benchmarks import charts, measures, report, s3, servers
from benchmarks.charts import Corpus
from benchmarks.measures import EXPECTED_ERRORS, LOADS, START, Bounds, Subject, Value, Values
from benchmarks.servers import Command, Server

_EVERYTHING: Final = (START, *LOADS)
_EXAMPLE: Final = """\
examples:
  benchmarks/run.py --charts 1000 -- chartrepo serve --open-writes
  benchmarks/run.py --charts 10000 --chartmuseum ~/bin/chartmuseum --helm ~/bin/helm \\
      --server 'ours=chartrepo serve --open-writes' --server 'granian=chartrepo serve --open-writes --server granian'
  benchmarks/run.py --charts 10000 --s3 moto -- chartrepo serve --open-writes

A command line may hold {port}, {storage} and {state} (an empty folder). Without {port} or {storage} it gets
--port {port} and --storage {storage}. The first server is the one that the others are compared with.
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run.

    Attributes:
        commands: the servers, in order.
        corpus: what they hold.
        measures: names out of `START` and `LOADS`.
        bounds: how long it may take.
        nginx: the binary for the comparison, or None.
        helm: the binary that reads the repositories, or None.
        store: None for packages on disk; else see `s3.store`.
        cache: where generated packages are kept, and where the servers' copies are made (hard links).
        output: where the JSON goes, or None.
    """

    commands: Sequence[Command]
    corpus: Corpus
    measures: Sequence[str]
    bounds: Bounds
    nginx: str | None
    helm: Path | None
    store: str | None
    cache: Path
    output: Path | None


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, measure, print the table; the exit status, 1 when a figure is missing."""
    plan = parse(sys.argv[1:] if arguments is None else arguments)
    begun, machine = datetime.now(UTC), report.machine()
    results = run(plan)
    told = {
        "when": begun.isoformat(timespec="seconds"),
        "machine": machine,
        "versions": plan.corpus.count,
        "versions a chart": plan.corpus.per_chart,
        "seed": plan.corpus.seed,
        "made from": plan.corpus.template.origin,
        "results": report.as_json(results),
        "factors": report.factors(results),
    }
    if plan.output:
        plan.output.write_text(json.dumps(told, indent=1) + "\n")
    print(report.table(results))
    return int(any(value.value is None for values in results.values() for value in values.values()))


def parse(arguments: Sequence[str]) -> Plan:
    """Make a plan of the command line's words; ends the program when they make no sense."""
    words = list(arguments)
    at = words.index("--") if "--" in words else len(words)
    options, line = _parser().parse_args(words[:at]), words[at + 1 :]
    commands: list[Command] = [Command(Path(line[0]).name, tuple(line))] if line else []
    commands += options.server
    if options.chartmuseum:
        commands.append(Command.chartmuseum(options.chartmuseum))
    if not commands:
        _parser().error("no server: name one with --server, --chartmuseum or after --")
    if len({command.name for command in commands}) < len(commands):
        _parser().error("two servers have the same name")
    template = charts.helm_template(options.helm) if options.helm else charts.own_template()
    return Plan(
        commands=commands,
        corpus=Corpus(template, count=options.charts, per_chart=options.per_chart, seed=options.seed),
        measures=[name for name in _EVERYTHING if name in options.measure],
        bounds=Bounds(options.seconds, options.uploads, options.start_seconds, options.stream),
        nginx=options.nginx,
        helm=options.helm,
        store=options.s3,
        cache=options.cache,
        output=options.json,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="benchmarks/run.py",
        usage="%(prog)s [options] [-- COMMAND LINE]",
        description="Measure chart servers side by side. Takes the machine for itself while it runs.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--charts", type=int, default=1000, metavar="N", help="versions in the repository (1000)")
    add("--per-chart", type=int, default=charts.PER_CHART, metavar="N", help="versions of each chart (50)")
    add("--seed", type=int, default=1, help="what names and versions are made from (1)")
    add("--server", type=_command, action="append", default=[], metavar="NAME=LINE", help="a server; may be repeated")
    add("--chartmuseum", type=_binary, metavar="PATH", help="measure this ChartMuseum too, with its defaults")
    add("--nginx", type=_binary, default=shutil.which("nginx"), metavar="PATH", help="what the index is compared with")
    add("--helm", type=Path, metavar="PATH", help="a helm: makes the charts, and reads the repository")
    add("--measure", type=_measures, default=_EVERYTHING, metavar="A,B", help="some of " + ",".join(_EVERYTHING))
    add("--s3", metavar="STORE", help="packages in a bucket: moto, the path of a versitygw, or a URL")
    add("--seconds", type=float, default=5, metavar="S", help="of each load (5)")
    add("--uploads", type=int, default=400, metavar="N", help="of the burst, at most (400)")
    add("--stream", type=float, default=10, metavar="R", help="uploads a second in the steady stream (10)")
    add("--start-seconds", type=float, default=300, metavar="S", help="until a start has failed (300)")
    add("--cache", type=Path, default=Path(tempfile.gettempdir(), "chartrepo-benchmarks"), metavar="DIR",
        help="where generated packages are kept between runs")  # fmt: skip
    add("--json", type=Path, metavar="FILE", help="write everything here")
    return parser


def _command(text: str) -> Command:
    try:
        return Command.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}") from error


def _binary(text: str) -> str:
    found = shutil.which(os.path.expanduser(text))  # noqa: PTH111 - a bare name must stay one
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no program that can be run")
    return f"{Path(found).resolve()}"


def _measures(text: str) -> Sequence[str]:
    unknown = set(text.split(",")) - set(_EVERYTHING)
    if unknown:
        raise argparse.ArgumentTypeError(f"no such measure: {', '.join(sorted(unknown))}")
    return tuple(text.split(","))


def run(plan: Plan) -> dict[str, Values]:
    """Measure every server in turn, each on its own copy of the same packages."""
    packages = plan.corpus.cached(plan.cache)
    results: dict[str, Values] = {}
    for command in plan.commands:
        print(f"{command.name}: {plan.corpus.count} versions", file=sys.stderr)
        with tempfile.TemporaryDirectory(prefix="run-", dir=plan.cache) as folder:
            if plan.store is None:
                results[command.name] = _measure_on_disk(plan, command, packages, Path(folder))
            else:
                results[command.name] = _measure_on_s3(plan, plan.store, command, packages, Path(folder))
    return results


def _measure_on_disk(plan: Plan, command: Command, packages: Path, folder: Path) -> Values:
    """Start, put under load, stop, start again."""
    storage, state = folder / "packages", folder / "state"
    charts.copy_folder(packages, storage)
    state.mkdir()
    values: Values = {}
    published = 0
    for start in ("first start", "later start"):
        port = servers.free_port()
        words = command.filled(port=port, storage=f"{storage}", state=state)
        try:
            with Server(words, port, folder / "log", folder) as server:
                subject = Subject(server, plan.corpus, plan.bounds, plan.nginx, plan.helm)
                subject.acknowledged(published)
                seconds = measures.wait_until_complete(subject) - server.started
                if START in plan.measures:
                    values[start] = _tell(start, Value(seconds, "s"))
                if start == "first start":
                    values |= _loads(plan, subject)
                    published = subject.versions - plan.corpus.count
        except EXPECTED_ERRORS as error:
            values[start] = _tell(start, Value(None, "s", f"{error}"))
        if START not in plan.measures:
            break
    return values


def _loads(plan: Plan, subject: Subject) -> Values:
    values: Values = {}
    for name in plan.measures:
        if name == START:
            continue
        try:
            subject.server.check_alive()
            found = LOADS[name](subject)
        except EXPECTED_ERRORS as error:
            found = {name: Value(None, "", f"{type(error).__name__}: {error}")}
        for title, value in found.items():
            values[title] = _tell(title, value)
    return values


def _measure_on_s3(plan: Plan, store: str, command: Command, packages: Path, folder: Path) -> Values:
    values: Values = {}
    with s3.store(store, folder) as url:
        s3.fill(url, packages)
        try:
            for title, value in s3.measure(command, plan.corpus, plan.bounds, store_url=url, folder=folder):
                values[title] = _tell(title, value)
        except EXPECTED_ERRORS as error:
            values["S3"] = _tell("S3", Value(None, "", f"the rest could not be measured: {error}"))
    return values


def _tell(title: str, value: Value) -> Value:
    """Show a figure as soon as it is there: a run takes minutes."""
    shown = "-" if value.value is None else f"{value.value:.4g}"
    print(f"  {title}: {shown} {value.unit} {value.reason}", file=sys.stderr)
    return value


if __name__ == "__main__":
    sys.exit(main())
