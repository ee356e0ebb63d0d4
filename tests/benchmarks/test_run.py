"""The benchmarks, run for a moment over a handful of charts against a server of a few lines."""

import gzip
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from benchmarks import charts, report, run
from benchmarks.charts import Corpus
from benchmarks.measures import Value
from benchmarks.servers import Command

STAND_IN = """\
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

folder, lossy = Path(sys.argv[2]), "--lossy" in sys.argv


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path.startswith("/index.yaml"):
            files = sorted(path.name for path in folder.glob("*.tgz"))
            entries = [f"  {name}: [{{name: {name}, version: 1.0.0, urls: [charts/{name}]}}]" for name in files]
            self.answer(200, "\\n".join(["apiVersion: v1", "entries:", *entries]).encode())
        else:
            self.answer(200, (folder / self.path.removeprefix("/charts/")).read_bytes())

    def do_POST(self):
        package = self.rfile.read(int(self.headers["Content-Length"]))
        if not lossy:
            (folder / name_of(package)).write_bytes(package)
        self.answer(201, b"{}")

    def log_message(self, *_):
        pass


def name_of(package):
    import io, re, tarfile

    with tarfile.open(fileobj=io.BytesIO(package)) as archive:
        text = archive.extractfile(archive.next()).read().decode()
    return "{}-{}.tgz".format(*(re.search(f"^{field}: (.*)$", text, re.M)[1] for field in ("name", "version")))


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.fixture
def stand_in(tmp_path: Path) -> str:
    program = tmp_path / "stand_in.py"
    program.write_text(STAND_IN)
    return f"{sys.executable} {program} {{port}} {{storage}}"


@pytest.fixture
def no_wrk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take wrk away, which runs for a second at least."""
    monkeypatch.setattr(shutil, "which", lambda _program: None)


def measured(tmp_path: Path, *words: str) -> dict[str, dict[str, dict[str, object]]]:
    output = tmp_path / "out.json"
    options = ["--charts", "12", "--seconds", "0.2", "--uploads", "4", "--start-seconds", "60"]
    run.main([*options, "--cache", f"{tmp_path / 'cache'}", "--json", f"{output}", *words])
    results: dict[str, dict[str, dict[str, object]]] = json.loads(output.read_text())["results"]
    return results


def test_every_measure_of_a_server_that_does_what_it_must_has_a_figure(
    tmp_path: Path, stand_in: str, helm3: Path
) -> None:
    figures = measured(tmp_path, "--server", f"one={stand_in}", "--helm", f"{helm3}")["one"]
    assert {title for title, figure in figures.items() if figure["value"] is None} == set()
    assert {"first start", "later start", "memory after the load", "package GET"} <= set(figures)


@pytest.mark.usefixtures("no_wrk")
def test_the_loads_have_figures_without_wrk_too(tmp_path: Path, stand_in: str) -> None:
    figures = measured(tmp_path, "--server", f"one={stand_in}", "--measure", "index,package,stream")["one"]
    assert {title for title, figure in figures.items() if figure["value"] is None} == set()
    assert figures["package GET"]["detail"] == {"packages": 12, "client": "http.client"}


def test_servers_are_measured_side_by_side_and_compared(
    tmp_path: Path, stand_in: str, capsys: pytest.CaptureFixture[str]
) -> None:
    results = measured(tmp_path, "--server", f"a={stand_in}", "--server", f"b={stand_in}", "--measure", "start,upload")
    assert list(results) == ["a", "b"]
    assert "a better than b" in capsys.readouterr().out


@pytest.mark.usefixtures("no_wrk")
def test_a_server_that_loses_an_acknowledged_upload_gets_no_figure_and_the_rest_goes_on(
    tmp_path: Path, stand_in: str
) -> None:
    figures = measured(tmp_path, "--server", f"one={stand_in} --lossy", "--measure", "burst,package")["one"]
    assert "are not in the index" in str(figures["burst"]["reason"])
    assert figures["package GET"]["value"] is not None


def test_a_server_that_ends_is_reported_with_its_last_words_and_the_next_one_is_measured(
    tmp_path: Path, stand_in: str
) -> None:
    broken = f"{sys.executable} -c 'import sys; sys.exit(\"no such bucket\")' {{port}} {{storage}}"
    results = measured(tmp_path, "--server", f"broken={broken}", "--server", f"good={stand_in}", "--measure", "start")
    assert "no such bucket" in str(results["broken"]["first start"]["reason"])
    assert results["good"]["first start"]["value"] is not None


def test_it_can_be_started_as_a_script_with_the_command_line_at_the_end(tmp_path: Path, stand_in: str) -> None:
    script = Path(run.__file__)
    options = ["--charts", "3", "--measure", "start", "--cache", f"{tmp_path / 'cache'}"]
    done = subprocess.run(
        [sys.executable, script, *options, "--", *stand_in.split()],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "| first start" in done.stdout


def test_a_command_line_without_placeholders_gets_port_and_storage_at_its_end(tmp_path: Path) -> None:
    command = Command("ours", ("chartrepo", "serve", "--open-writes"))
    assert command.filled(port=1234, storage="/charts", state=tmp_path)[3:] == [
        "--port",
        "1234",
        "--storage",
        "/charts",
    ]


def test_the_same_parameters_make_the_same_bytes_and_another_seed_other_names() -> None:
    def checksum(seed: int) -> str:
        corpus = Corpus(charts.own_template(), count=60, seed=seed)
        return hashlib.sha256(b"".join(corpus.package(release) for release in corpus.releases())).hexdigest()

    assert checksum(1) == checksum(1) != checksum(2)


def test_a_package_is_one_gzip_member_with_chart_yaml_first() -> None:
    corpus = Corpus(charts.own_template(), count=1)
    release = next(corpus.releases())
    with tarfile.open(fileobj=BytesIO(gzip.decompress(corpus.package(release)))) as archive:
        names = archive.getnames()
        values = archive.extractfile(f"{release.chart}/values.yaml")
        assert values is not None
        assert release.chart in values.read().decode()
    assert names[0] == f"{release.chart}/Chart.yaml"
    assert len(names) == 1 + len(corpus.template.files)


def test_helm_takes_the_generated_packages(helm3: Path, tmp_path: Path) -> None:
    corpus = Corpus(charts.own_template(), count=1)
    release = next(corpus.releases())
    package = tmp_path / release.file
    package.write_bytes(corpus.package(release))
    shown = subprocess.run([helm3, "template", package], capture_output=True, text=True, check=True).stdout
    assert f"helm.sh/chart: {release.chart}-{release.version}" in shown


def test_the_factor_says_how_many_times_better_the_first_is_whichever_way_is_better() -> None:
    results = {
        "ours": {"GET": Value(300, "/s"), "start": Value(2, "s"), "missing": Value(1, "s")},
        "theirs": {"GET": Value(100, "/s"), "start": Value(5, "s"), "missing": Value(None, "s", "it broke")},
    }
    assert report.factors(results) == {"theirs": {"GET": 3.0, "start": 2.5}}
    assert "theirs, missing: it broke" in report.table(results)


def test_on_a_bucket_both_starts_are_timed_and_the_requests_of_an_upload_counted(tmp_path: Path) -> None:
    ours = f"{sys.executable} -m chartrepo serve --open-writes"
    figures = measured(tmp_path, "--server", f"ours={ours}", "--s3", "moto")["ours"]
    assert figures["S3: start without snapshot"]["value"]
    assert figures["S3: start with snapshot"]["value"]
    assert figures["S3: PUTs of a package for an upload"]["value"] == 1
    assert figures["S3: listings for an upload"]["value"] < 0.5  # a sync of its own may come in between
