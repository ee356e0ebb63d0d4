"""The benchmark of registries, run for a moment against a real server."""

import json
import sys
from pathlib import Path

import pytest

from benchmarks import registries


def test_it_measures_all_and_says_so_in_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "result.json"
    line = f"ours={sys.executable} -m chartrepo serve --open-writes"
    arguments = ["--server", line, "--rounds", "1", "--size", "2", "--tags", "3", "--folder", f"{tmp_path}"]
    assert registries.main([*arguments, "--json", f"{output}"]) == 0
    measured = json.loads(output.read_text())["results"]["ours"]
    assert {"2 MiB up by PUT", "2 MiB up by PATCH and PUT", "2 MiB down", "memory meanwhile"} <= measured.keys()
    assert all(each["value"] >= 0 for each in measured.values())
    assert "tags/list of 3" in capsys.readouterr().out


def test_a_server_that_is_no_registry_has_no_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "serve.py").write_text(
        "import sys\n"
        "from http.server import BaseHTTPRequestHandler, HTTPServer\n"
        "class Handler(BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        self.send_response(200 if self.path == '/readyz' else 404)\n"
        "        self.send_header('Content-Length', '0')\n"
        "        self.end_headers()\n"
        "    def log_message(self, *_):\n"
        "        pass\n"
        "HTTPServer(('127.0.0.1', int(sys.argv[2])), Handler).serve_forever()\n"
    )
    line = f"none={sys.executable} {tmp_path}/serve.py"
    assert (
        registries.main(["--server", line, "--rounds", "1", "--size", "1", "--tags", "3", "--folder", f"{tmp_path}"])
        == 1
    )
    assert "it failed" in capsys.readouterr().out
