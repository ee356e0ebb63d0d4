"""The commands of the first page, typed as they stand there."""

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.helm import Helm
from tests.support.server import running

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parent.parent.parent
ADDRESS: Final = "http://127.0.0.1:8080"


def steps(page: str) -> "Iterator[tuple[str, str]]":
    """Each command of the block that publishes a first chart, and what the page says it prints."""
    text = (ROOT / page).read_text(encoding="utf-8")
    block = next(found for found in re.findall(r"(?s)```console\n(.*?)```", text) if "helm create app" in found)
    for step in re.split(r"(?m)^\$ ", block)[1:]:
        command, _, printed = step.partition("\n")
        yield command, printed


def plain(text: str) -> list[str]:
    """Words of an output, without the folder in which it came about."""
    return re.sub(r"(saved it to: )\S*/", r"\1", text).split()


@pytest.mark.parametrize("page", ["README.md", "docs/getting-started.md"])
def test_a_first_chart_goes_as_the_page_says(page: str, helm: Helm, tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "helm").symlink_to(helm.path)
    environment = {**helm.environment, "PATH": f"{programs}:{helm.environment['PATH']}"}
    work = tmp_path / "work"
    work.mkdir()
    with running(tmp_path, "--open-writes") as server:
        for command, printed in steps(page):
            done = subprocess.run(
                ["bash", "-o", "pipefail", "-c", command.replace(ADDRESS, server.url)],
                cwd=work,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
            assert done.returncode == 0, f"{command}\n{done.stderr}"
            assert plain(done.stdout) == plain(printed), command
