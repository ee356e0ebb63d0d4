#!/usr/bin/env python3
"""What users and rules cost: the same packages without rules, and behind 50 rules and 20 users, asked in turn.

    benchmarks/access.py --server 'gunicorn=chartrepo serve' --charts 10000

The callers behind the rules are two users of an htpasswd file (bcrypt, cost 12), one who reads everything, and one who
reads the charts of half the alphabet; and an API token that reads everything.
"""

import argparse
import base64
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Final

import bcrypt

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import charts, load, report, servers
from benchmarks.charts import Corpus
from benchmarks.measures import Value, Values
from benchmarks.servers import Command, Server

_PASSWORD: Final = "correct horse"
_USERS: Final = 20
_RULES: Final = 50
_COST: Final = 12
_START_SECONDS: Final = 600
_SECONDS: Final = 3.0
_HALF: Final = "abcdefghijklm"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Attributes:
        title: in the table.
        headers: the credential.
    """

    title: str
    headers: Mapping[str, str] = field(default_factory=dict)


_OPEN: Final = Caller("no rules")


def _basic(user: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{_PASSWORD}".encode()).decode()}


def _callers(server: Server) -> list[Caller]:
    """All that ask a server with rules; the token is made for it."""
    with load.connected(server.url, _basic("admin")) as admin:
        asked = json.dumps({"name": "benchmark", "allow": ["read:**"], "expires": "1d"}).encode()
        status, body = admin.request("POST", "/api/tokens", asked)
    if status != HTTPStatus.CREATED:
        raise load.LoadFailedError(f"no token was made: {status} {body[:200]!r}")
    bearer = {"Authorization": f"Bearer {json.loads(body)['token']}"}
    return [Caller("user", _basic("user1")), Caller("token", bearer), Caller("reader of half", _basic("half"))]


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, measure, print the table; each column is a caller, compared with the one without rules."""
    parser = argparse.ArgumentParser(prog="benchmarks/access.py", description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--server", type=Command.parse, required=True, metavar="NAME=LINE")
    add("--charts", type=int, default=10_000, metavar="N", help="packages (10000)")
    add("--rounds", type=int, default=3, metavar="N", help="how often each is asked (3)")
    add("--seconds", type=float, default=_SECONDS, metavar="S", help="of each load (3)")
    add("--folder", type=Path, metavar="DIR", help="where everything is kept meanwhile")
    add("--json", type=Path, metavar="FILE", help="write everything here")
    plan = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="access-", dir=plan.folder) as folder:
        results = _measure(plan, Path(folder))
    if plan.json is not None:
        told = {"machine": report.machine(), "results": report.as_json(results), "factors": report.factors(results)}
        plan.json.write_text(json.dumps(told, indent=1) + "\n")
    print(report.table(results))
    return 0


def _measure(plan: argparse.Namespace, folder: Path) -> dict[str, Values]:
    corpus = Corpus(charts.own_template(), count=plan.charts)
    (folder / "packages").mkdir()
    corpus.write(folder / "packages")
    packages = [f"/charts/{release.file}" for release in corpus.releases() if release.chart[0] in _HALF][:200]
    with ExitStack() as stack:
        open_one = stack.enter_context(_started(plan.server, folder, "open", []))
        guarded = stack.enter_context(_started(plan.server, folder, "guarded", _access_files(folder)))
        asked = [(_OPEN, open_one), *((caller, guarded) for caller in _callers(guarded))]
        rates: dict[tuple[str, str], list[float]] = {}
        for _ in range(plan.rounds):
            for title, paths in (("packages a second", packages), ("indexes a second", ["/index.yaml"])):
                for caller, server in asked:
                    load.get_rate(server.url, paths[:1], seconds=1, connections=1, headers=caller.headers)  # warm
                    rate = load.get_rate(server.url, paths, seconds=plan.seconds, headers=caller.headers)
                    rates.setdefault((caller.title, title), []).append(rate.per_second)
    found: dict[str, Values] = {}
    for (name, title), each in rates.items():
        value = Value(statistics.median(each), "/s", detail={"rounds": each})
        found.setdefault(name, {})[title] = value
    return found


@contextmanager
def _started(command: Command, folder: Path, name: str, options: Sequence[str]) -> Iterator[Server]:
    own = folder / name
    own.mkdir()
    charts.copy_folder(folder / "packages", own / "packages")
    port = servers.free_port()
    words = [*command.filled(port=port, storage=f"{own / 'packages'}", state=own / "state"), *options]
    with Server(words, port, own / "log", own, {"CHARTREPO_ADMIN_PASSWORD": _PASSWORD} if options else {}) as server:
        servers.wait_for_port(server, seconds=_START_SECONDS)
        load.wait_for(f"{server.url}/readyz", seconds=_START_SECONDS)
        yield server


def _access_files(folder: Path) -> list[str]:
    """Write users and rules; return the options that name them."""
    hashed = bcrypt.hashpw(_PASSWORD.encode(), bcrypt.gensalt(_COST)).decode()
    users = ["half", *(f"user{number}" for number in range(1, _USERS))]
    (folder / "users").write_text("".join(f"{user}:{hashed}\n" for user in users))
    rules = [
        '{who: ["user:user1"], may: [read], on: ["**"]}',
        f'{{who: ["user:half"], may: [read], on: [{", ".join(f"{letter}*" for letter in _HALF)}]}}',
        *(
            f'{{who: ["user:user{1 + number % (_USERS - 1)}"], may: [read, publish], on: ["team{number}/**"]}}'
            for number in range(_RULES - 2)
        ),
    ]
    text = "permissions:\n" + "".join(f"  - {rule}\n" for rule in rules)
    (folder / "rules.yaml").write_text(text)
    return ["--htpasswd", f"{folder / 'users'}", "--permissions", f"{folder / 'rules.yaml'}"]


if __name__ == "__main__":
    sys.exit(main())
