"""Each run of a server counts in a folder of its own, which others leave alone as long as it lives."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chartrepo.metrics import Metrics
from chartrepo.metrics_runs import begin, hold

SERVER = """
import os, sys
from pathlib import Path
from chartrepo.metrics import Metrics
from chartrepo.metrics_runs import begin
folder = begin(Path(sys.argv[1]))
pid = os.fork()
if not pid:
    Metrics(folder).upload("created")
    os._exit(0)
os.waitpid(pid, 0)
print(folder, flush=True)
sys.stdin.read()
"""


@contextmanager
def another_server(root: Path) -> Iterator[Path]:
    """The folder of a server that runs, one process of which has counted an upload and ended."""
    command = [sys.executable, "-c", SERVER, str(root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield Path(server.stdout.readline().strip())


def test_a_start_leaves_the_counts_of_a_server_that_runs_alone(tmp_path: Path) -> None:
    with another_server(tmp_path) as theirs:
        ours = begin(tmp_path)
        assert theirs != ours
        assert b'chartrepo_uploads_total{result="created"} 1.0' in Metrics(theirs).render(tuple)[1]
        assert b'chartrepo_uploads_total{result="created"} 0.0' in Metrics(ours).render(tuple)[1]


def test_a_start_removes_the_counts_of_servers_that_have_ended(tmp_path: Path) -> None:
    with another_server(tmp_path) as theirs:
        pass
    ours = begin(tmp_path)
    assert theirs != ours
    assert list(tmp_path.iterdir()) == [ours]


def test_a_start_touches_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "note.txt").touch()
    (tmp_path / "folder").mkdir()
    ours = begin(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"note.txt", "folder", ours.name}


def test_the_folders_are_for_this_user_alone(tmp_path: Path) -> None:
    ours = begin(tmp_path / "state" / "metrics")
    assert [oct(folder.stat().st_mode & 0o777) for folder in (ours, *list(ours.parents)[:2])] == ["0o700"] * 3


def test_a_folder_that_was_removed_is_held_again_by_whoever_makes_it_again(tmp_path: Path) -> None:
    folder = tmp_path / "run-1"
    os.close(hold(folder))
    folder.rmdir()
    descriptor = hold(folder)
    begin(tmp_path)
    assert folder.is_dir()
    os.close(descriptor)
    begin(tmp_path)
    assert not folder.exists()
