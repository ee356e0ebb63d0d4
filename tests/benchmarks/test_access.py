"""The benchmark of users and rules, run for a moment against a real server."""

import json
import sys
from pathlib import Path

import pytest

from benchmarks import access


def test_it_measures_every_caller_and_says_so_in_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "result.json"
    line = f"ours={sys.executable} -m chartrepo serve"
    arguments = ["--server", line, "--charts", "300", "--rounds", "1", "--seconds", "1", "--folder", f"{tmp_path}"]
    assert access.main([*arguments, "--json", f"{output}"]) == 0
    measured = json.loads(output.read_text())["results"]
    assert set(measured) == {"no rules", "user", "token", "reader of half"}
    assert all(value["value"] > 0 for values in measured.values() for value in values.values())
    assert "indexes a second" in capsys.readouterr().out
