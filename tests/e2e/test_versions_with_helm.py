"""The real helm reads, orders and chooses versions as chartrepo.core.versions does.

Helm is asked about many versions at once: they stand in one index, and what `helm search repo` lists tells which it
read, in which order, and which of them a range allows.
"""

import json
from collections.abc import Callable, Iterable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from chartrepo.core.errors import InvalidConstraint, InvalidVersion
from chartrepo.core.versions import Constraint, check, sort_key
from tests.support.helm import Helm

LARGEST = 2**64 - 1

VERSIONS = f"""
    0 0.0.0-0 0.0.1 0.0.3 0.0.4 0.1.0 0.1 0.2.3 0.2.9 0.3.0 0.9.0 0.10.0 00.11.00 1.0.0-alpha 1.0.0-alpha.1
    1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1 1.0.0+meta 1.0.1-0 1.0.1 1.2.2 1.2.3-alpha
    1.2.3-beta.1 1.2.3-beta.2 1.2.3 v1.2.3+v 1.2.3-- 1.2.3--1 1.2.3-1 1.2.3-10 1.2.3-9 1.2.3-9a 1.2.3-A 1.2.3-a
    1.2.3-a-b 1.2.3-a.b 1.2.3-a.b.0 1.2.3-01a 1.2.3-{LARGEST} 1.2.3-{LARGEST + 1} 1.2.3-100000000000000000000000
    1.2.9 1.3.0-rc.1 1.3 1.9.9 1.10.0 01.11.0 v2 2.0.0-rc.1 2.1.0+a.b-c 3.1.0 4.9.0 10.0.0 {LARGEST}.0.0
    0.{LARGEST}.{LARGEST}
""".split()

NO_VERSIONS = [
    *f"""
    V1.2.3 vv1 1.2.3.4 latest 1. .1 1..2 1.2.x 1.2.3- 1.2.3-a..b 1.2.3-a. 1.2.3+ 1.2.3+a+b 1.2.3+a_b 1.2.3-a_b 1.2.3-01
    1.2.3-rc.00 -1 +1 1,2,3 {LARGEST + 1}.0.0 1.{LARGEST + 1} 1.2.99999999999999999999999 1.2.3-\u00e9 \u0661.0.0
    """.split(),
    " 1.2.3",
    "1.2.3 ",
    "1.2.3\n",
]

RANGES = [
    *f"""
    * x.5 ^* ~* >* <=* !=* 1 1.x v1.2 1.2.3 =1.2.3+other 1.2.3-a !=1.2.x !=1.2.x-a !=1 >1.2.3 >1.2 >1 >1-0
    >0.0.0-0 >=1.2 =>1.2.3-beta.2 <1.2 <=1.2.3 =<1.2 <=1 ~1.2.3 ~>1.2 ~1 ~1.2.3-beta.2 ~0.0.0 ^1.2.3 ^0.2.3 ^0.2 ^0.0.3
    ^0.0 ^0 ^1.2.3-beta.2 <1||>=2.0.0-0 1.x.| <={LARGEST}
    """.split(),
    ">=1.2 <2",
    " >= 1.2 , < 2 ",
    "1.2 - 1.4",
    "0.1.0-0 - 1.2.3-a",
    "1.2 - 1.4 || 3 - 4",
    "0.1||1.2 - 1.4",
]

# Helm before 3.19 asks each bound by itself whether it takes prereleases, newer ones ask the alternative.
NEWER_RANGES = ["!=1.2.3", ">=1.0.0-0 <2", ">1 <3.0.0-0"]

NO_RANGES = ["latest", "^^1", "==1", ">", "1.2.3.4", "1.2.3-01", "1|2", "1 ||", "1,,2", ",1", f"^{LARGEST + 1}"]


Search = Callable[..., list[str]]


@pytest.fixture
def search(helm: Helm, tmp_path: Path) -> Search:
    """Ask Helm 3 and Helm 4 for the versions that they find, in their order, by the arguments of `helm search repo`."""
    return _search(helm, tmp_path)


def _search(helm: Helm, folder: Path) -> Search:
    entries = [
        {"apiVersion": "v1", "name": "app", "version": version, "urls": [f"app-{number}.tgz"]}
        for number, version in enumerate([*NO_VERSIONS, *VERSIONS])
    ]
    index = {"apiVersion": "v1", "generated": "2026-01-01T00:00:00Z", "entries": {"app": entries}}
    (folder / "index.yaml").write_text(json.dumps(index))
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            helm.run("repo", "add", "repository", f"http://127.0.0.1:{server.server_port}")
        finally:
            server.shutdown()
            thread.join()
    return lambda *arguments: [
        found["version"] for found in helm.json("search", "repo", "repository/app", "--versions", *arguments)
    ]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_helm_reads_what_we_read(search: Search) -> None:
    for version in VERSIONS:
        check(version)
    for text in NO_VERSIONS:
        with pytest.raises(InvalidVersion):
            check(text)
    assert set(search("--devel")) == set(VERSIONS) - {"0.0.0-0"}


def test_helm_orders_as_we_order(search: Search) -> None:
    keys = [sort_key(version) for version in search("--devel")]
    assert keys == sorted(keys, reverse=True)


def test_helm_finds_what_our_ranges_allow(search: Search) -> None:
    assert {text: set(search("--version", text)) for text in RANGES} == _allowed(RANGES)


def test_newer_helm_lets_prereleases_into_an_alternative_by_any_of_its_bounds(helm4: Path, tmp_path: Path) -> None:
    search = _search(Helm(helm4, tmp_path / "home"), tmp_path)
    assert {text: set(search("--version", text)) for text in NEWER_RANGES} == _allowed(NEWER_RANGES)


def _allowed(ranges: Iterable[str]) -> dict[str, set[str]]:
    return {text: {version for version in VERSIONS if Constraint(text).allows(version)} for text in ranges}


def test_helm_refuses_the_ranges_that_we_refuse(search: Search, helm: Helm) -> None:
    for text in NO_RANGES:
        with pytest.raises(InvalidConstraint):
            Constraint(text)
        answer = helm.run("search", "repo", "repository/app", "--version", text, check=False)
        assert "an invalid version/constraint format" in answer.stderr
