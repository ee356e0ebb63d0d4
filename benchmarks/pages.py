#!/usr/bin/env python3
"""How long the pages of the catalog take, in repositories of several sizes.

    benchmarks/pages.py --charts 100 --charts 10000 --charts 100000

Each column is a size. A large chart in two versions is published beside it, for the pages about one chart. "Cold" is
the first look at a chart; all else was looked at before. With a Chromium on this machine it also tells when a page is
first painted, and how much its parts move afterwards.
"""

import argparse
import gzip
import http.client
import json
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import charts, load, report, rich, servers
from benchmarks.charts import Corpus
from benchmarks.measures import Value, Values
from benchmarks.servers import Command, Server

_START_SECONDS: Final = 900
_INDEXED_SECONDS: Final = 900
_CHART: Final = rich.NAME
_COLD: Final = 15
"""Charts that are looked at for the first time."""
_HEADERS: Final = {"Accept": "text/html", "Accept-Encoding": "gzip"}
_PAINTED: Final = """() => new Promise(resolve => {
  new PerformanceObserver(list => {
    const first = list.getEntries().find(entry => entry.name === "first-contentful-paint");
    if (first) resolve(first.startTime);
  }).observe({type: "paint", buffered: true});
})"""
_MOVED: Final = """() => new Promise(resolve => {
  let sum = 0;
  new PerformanceObserver(list => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) sum += entry.value;
  }).observe({type: "layout-shift", buffered: true});
  setTimeout(() => resolve(sum), 500);
})"""


@dataclass(frozen=True, slots=True)
class PageOf:
    """A page that is asked for.

    Attributes:
        title: in the table.
        path: below the server's address.
    """

    title: str
    path: str


def pages(corpus: Corpus) -> list[PageOf]:
    """All pages that are measured, of a repository of this content."""
    word = next(corpus.releases()).chart.split("-")[1]
    tabs = ("values", "templates", "dependencies", "images", "changelog", "attachments", "files", "versions")
    return [
        PageOf("home", "/ui/"),
        PageOf("search", f"/ui/search?q={word}"),
        PageOf("search, mistyped", "/ui/search?q=platfrom"),
        PageOf("search, all", "/ui/search"),
        PageOf("search as JSON", f"/api/search?q={word}"),
        PageOf("repository", "/ui/repositories"),
        PageOf("chart", f"/ui/charts/{_CHART}"),
        *(PageOf(f"chart, {tab}", f"/ui/{tab}/{_CHART}") for tab in tabs),
        PageOf("compare", f"/ui/compare/{_CHART}?from={rich.OLD}&to={rich.NEW}"),
        PageOf("feed", "/ui/feed"),
    ]


class Browser:
    """One connection that is kept, as a browser keeps it, and the time until the first byte of each answer."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)

    def get(self, path: str) -> tuple[float, bytes]:
        """Return milliseconds until the first byte, and the body as it came.

        Raises:
            LoadFailedError: the status is not 200.
        """
        began = time.perf_counter()
        self._connection.request("GET", path, headers=_HEADERS)
        answer = self._connection.getresponse()
        first = (time.perf_counter() - began) * 1000
        body = answer.read()
        if answer.status != HTTPStatus.OK:
            raise load.LoadFailedError(f"GET {path} is answered with {answer.status}: {body[:200]!r}")
        return first, body

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, measure, print the table; each column is a size of the repository."""
    parser = argparse.ArgumentParser(prog="benchmarks/pages.py", description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--server", type=Command.parse, default=None, metavar="NAME=LINE", help="how it is started")
    add("--charts", type=int, action="append", metavar="N", help="packages, once for each column (100, 10000)")
    add("--per-chart", type=int, default=charts.PER_CHART, metavar="N", help="versions of a chart (50)")
    add("--times", type=int, default=30, metavar="N", help="how often each page is asked for (30)")
    add("--chromium", type=Path, metavar="FILE", help="the browser that paints; without it nothing is painted")
    add("--folder", type=Path, metavar="DIR", help="where everything is kept meanwhile")
    add("--json", type=Path, metavar="FILE", help="write everything here")
    plan = parser.parse_args(arguments)
    command = plan.server or Command("chartrepo", (sys.executable, "-m", "chartrepo", "serve", "--open-writes"))
    results: dict[str, Values] = {}
    for count in plan.charts or [100, 10_000]:
        corpus = Corpus(charts.own_template(), count=count, per_chart=plan.per_chart)
        with (
            tempfile.TemporaryDirectory(prefix="pages-", dir=plan.folder) as folder,
            _started(command, corpus, Path(folder)) as server,
        ):
            results[f"{count:,}"] = _measure(server, corpus, plan.times, plan.chromium)
    if plan.json is not None:
        told = {"machine": report.machine(), "results": report.as_json(results)}
        plan.json.write_text(json.dumps(told, indent=1) + "\n")
    print(_table(results))
    return 0


@contextmanager
def _started(command: Command, corpus: Corpus, folder: Path) -> Iterator[Server]:
    (folder / "packages").mkdir()
    corpus.write(folder / "packages")
    port = servers.free_port()
    words = command.filled(port=port, storage=f"{folder / 'packages'}", state=folder / "state")
    with Server(words, port, folder / "log", folder) as server:
        servers.wait_for_port(server, seconds=_START_SECONDS)
        load.wait_for(f"{server.url}/readyz", seconds=_START_SECONDS)
        with load.connected(server.url) as client:
            for version in (rich.OLD, rich.NEW):
                client.upload(rich.package(version))
        yield server


def _measure(server: Server, corpus: Corpus, times: int, chromium: Path | None) -> Values:
    found: Values = {"until all is indexed": Value(_wait_until_indexed(server), "s")}
    browser = Browser(server.url)
    names = list(dict.fromkeys(release.chart for release in corpus.releases()))[:_COLD]
    cold = [browser.get(f"/ui/charts/{name}")[0] for name in names]
    found["chart, cold"] = _milliseconds(cold)
    largest = 0
    for page in pages(corpus):
        browser.get(page.path)
        found[page.title] = _milliseconds([browser.get(page.path)[0] for _ in range(times)])
        if page.title in {"home", "search", "chart"}:
            largest = max(largest, _weight(browser, page.path))
    found["HTML, style and scripts"] = Value(largest / 1024, "KiB")
    browser.close()
    found["memory"] = Value(server.memory(), "MiB")
    if chromium is not None:
        found |= _painted(server, chromium)
    return found


def _wait_until_indexed(server: Server) -> float:
    """Wait until a search finds what was published last, and knows of nothing that is missing; return the seconds."""
    began = time.perf_counter()
    with load.connected(server.url) as client:
        while time.perf_counter() - began < _INDEXED_SECONDS:
            found = json.loads(client.get(f"/api/search?q={_CHART}"))
            if found["total"] and not found["indexing"]["behind"]:
                return time.perf_counter() - began
            time.sleep(0.1)
    raise load.LoadFailedError("not all charts were indexed in time")


def _milliseconds(each: Sequence[float]) -> Value:
    return Value(statistics.median(each), "ms", detail={"each": list(each)})


def _weight(browser: Browser, path: str) -> int:
    """The bytes of a page as they come, with its style and scripts."""
    _, body = browser.get(path)
    text = gzip.decompress(body).decode() if body[:2] == b"\x1f\x8b" else body.decode()
    parts = set(re.findall(r'(?:src|href)="(/static/[^"]+\.(?:css|js))"', text))
    return len(body) + sum(len(browser.get(part)[1]) for part in parts)


def _painted(server: Server, chromium: Path) -> Values:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only where there is a browser

    found: Values = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for title, path in (("home", "/ui/"), ("search", "/ui/search?q=web"), ("chart", f"/ui/charts/{_CHART}")):
            painted, moved = [], []
            for _ in range(5):
                context = browser.new_context()
                page = context.new_page()
                page.goto(f"{server.url}{path}")
                painted.append(float(page.evaluate(_PAINTED)))
                moved.append(float(page.evaluate(_MOVED)))
                context.close()
            found[f"{title}, first paint"] = _milliseconds(painted)
            found[f"{title}, layout shift"] = Value(max(moved), "")
        browser.close()
    return found


def _table(results: dict[str, Values]) -> str:
    measures = list(dict.fromkeys(measure for values in results.values() for measure in values))
    lines = [f"| page | unit | {' | '.join(results)} |", f"|---|---|{'---:|' * len(results)}"]
    for measure in measures:
        row = [values.get(measure) for values in results.values()]
        unit = next(value.unit for value in row if value is not None)
        shown = ["-" if value is None or value.value is None else f"{value.value:.3g}" for value in row]
        lines.append(f"| {measure} | {unit} | {' | '.join(shown)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
