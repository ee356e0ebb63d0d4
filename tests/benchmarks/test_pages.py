"""The benchmark of pages, run for a moment against a real server."""

import json
from pathlib import Path

import pytest

from benchmarks import pages


def test_it_measures_every_page_in_each_size_and_says_so_in_a_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "result.json"
    arguments = ["--charts", "60", "--charts", "120", "--times", "2", "--folder", f"{tmp_path}", "--json", f"{output}"]
    assert pages.main(arguments) == 0
    measured = json.loads(output.read_text())["results"]
    assert set(measured) == {"60", "120"}
    for values in measured.values():
        assert {"home", "search", "chart", "chart, cold", "compare", "memory"} <= set(values)
        assert all(value["value"] is not None for value in values.values())
    assert "| compare | ms |" in capsys.readouterr().out
