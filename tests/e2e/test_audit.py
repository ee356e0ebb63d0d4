"""Audit records of a real server: over the death of its processes, and over its end."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from chartrepo import layout
from storage.local import LocalStorage
from tests.support.http import call, get, publish
from tests.support.packages import package
from tests.support.server import Server, running


def versions(server: Server) -> list[str]:
    """Of the publications that the server has recorded."""
    found: list[dict[str, Any]] = json.loads(get(f"{server.url}/api/audit?limit=1000").body)["records"]
    return sorted(each["version"] for each in found if (each["action"], each["outcome"]) == ("publish", "done"))


def in_storage(folder: Path) -> list[str]:
    """Of the publications whose records are in the storage."""
    state = LocalStorage(folder / "data" / ".chartrepo", private=True)
    lines: list[bytes] = []
    for info in state.list(layout.AUDIT_PREFIX):
        with state.open(info.key) as file:
            lines += file.read().splitlines()
    return sorted(json.loads(line)["version"] for line in lines)


@pytest.mark.parametrize("kind", ["gunicorn", "granian"])
def test_no_death_takes_a_record_and_the_end_takes_them_to_the_storage(tmp_path: Path, kind: str) -> None:
    told: list[str] = []

    def release(server: Server) -> None:
        told.append(f"{len(told) + 10}.0.0")
        assert publish(server.url, package("app", told[-1])).status == 201

    arguments = ("--open-writes", "--server", kind, "--audit-stdout")
    with running(tmp_path, *arguments) as server:
        release(server)
        for worker in server.workers:
            release(server)
            os.kill(worker, signal.SIGKILL)
            server.process.wait_until(lambda: get(f"{server.url}/livez").status == 200, what="it answered again")
        release(server)
        assert versions(server) == told
        server.kill()
    with running(tmp_path, *arguments) as server:
        assert versions(server) == told
        release(server)
        assert call("DELETE", f"{server.url}/api/charts/app/10.0.0").status == 200
    assert in_storage(tmp_path) == sorted([*told, "10.0.0"])
    assert list((tmp_path / "data" / ".chartrepo" / "audit-spool").iterdir()) == []
    printed = [json.loads(line) for line in (tmp_path / "server.log").read_text().splitlines() if line[:1] == "{"]
    assert sorted(each["version"] for each in printed) == sorted([*told, "10.0.0"])
