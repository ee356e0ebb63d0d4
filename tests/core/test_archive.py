import contextlib
import io
import random
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chartrepo.core.archive import Held, Package, hold_files, read_files, read_package
from chartrepo.core.chart import UNNAMED
from chartrepo.core.errors import PackageRefused
from chartrepo.core.limits import DEFAULT, Limits
from tests.support.packages import Entry, Item, Link, archive, chart_yaml, gzipped, package, pax, tar

MIB = 1024 * 1024
CHART = ("app/Chart.yaml", chart_yaml())


def read(data: bytes, limits: Limits = DEFAULT) -> Package:
    return read_package(io.BytesIO(data), limits)


def refusal(data: bytes, limits: Limits = DEFAULT) -> tuple[str, ...]:
    with pytest.raises(PackageRefused) as refused:
        read(data, limits)
    return refused.value.problems


def packed(*items: Item) -> bytes:
    return archive([CHART, *items])


def test_a_package_is_read() -> None:
    found = read(package("app", "1.0.0", appVersion="2.0"))

    assert found.chart.metadata == {"name": "app", "version": "1.0.0", "apiVersion": "v2", "appVersion": "2.0"}
    assert found.reservations == ()


def test_reading_begins_where_the_source_stands() -> None:
    source = io.BytesIO(b"before" + package())
    source.seek(6)

    assert read_package(source).chart.name == "app"


def test_files_may_come_in_any_order() -> None:
    items: list[Item] = [
        ("app/requirements.yaml", "dependencies: [{name: db}]\n"),
        ("app/charts/db/values.yaml", "a: 1\n"),
        ("app/charts/db/Chart.yaml", chart_yaml("db")),
        CHART,
    ]

    assert read(archive(items)).chart.metadata["dependencies"] == [{"name": "db", "repository": ""}]


NEEDS = "dependencies: [{name: db}, {name: web}, {name: db, alias: cache}, {alias: nameless}]\n"


@pytest.mark.parametrize(
    ("files", "missing"),
    [
        ({}, ("db", "web")),
        ({"charts/db/Chart.yaml": chart_yaml("db")}, ("web",)),
        ({"charts/any/Chart.yaml": chart_yaml("db"), "charts/db/Chart.yaml": chart_yaml("web", "9.9.9")}, ()),
        ({"charts/any.tgz": package("db"), "charts/web-1.0.0.tgz": package("web")}, ()),
        ({"charts/_db/Chart.yaml": chart_yaml("db"), "charts/.web/Chart.yaml": ""}, ("db", "web")),
    ],
)
def test_dependencies_are_missing_that_no_chart_in_it_has_the_name_of(
    files: dict[str, bytes | str], missing: tuple[str, ...]
) -> None:
    found = read(package(files={"requirements.yaml": NEEDS, **files}))
    assert (found.missing, found.reservations) == ((*missing, UNNAMED), ())
    assert read(package(type="library", files={"requirements.yaml": NEEDS, **files})).missing == ()


@pytest.mark.parametrize(
    "files",
    [
        {"charts/db/Chart.yaml": chart_yaml("db"), "charts/db/charts/log/Chart.yaml": chart_yaml("log")},
        {"charts/db-1.0.0.tgz": package("db", files={"charts/log-1.0.0.tgz": package("log")})},
        {"charts/db-1.0.0.tgz": gzipped(tar([("db/Chart.yaml", chart_yaml("db"))]), crc=1)},
        {"charts/db/Chart.yaml": chart_yaml("db", apiVersion="v9")},
        {"charts/.hidden": "x", "charts/_ignored/x": "x", "charts/.x.tgz": "x", "charts/db.tgz.prov": "x"},
        {"charts/db/Chart.yaml": chart_yaml("db"), "charts/db/x.prov": "x"},
        {"Chart.lock": "generated: 2024-01-31T12:00:00Z\n", "requirements.lock": ""},
        {"templates/broken.yaml": "{{", "values.schema.json": "{", "crds/x.yaml": "a: [", "README.md": b"\xff"},
        {"values.yaml": "", "a/./b": "x", "c/../d": "x", "charts": "a file"},
    ],
)
def test_what_helm_loads_is_read_without_reservations(files: dict[str, bytes | str]) -> None:
    assert read(package(files=files)).reservations == ()


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"charts/db/Chart.yaml": chart_yaml("db", version="x")}, "charts/db/Chart.yaml: version 'x'"),
        ({"charts/db/values.yaml": "a: 1"}, "charts/db/Chart.yaml is missing"),
        ({"charts/db/charts/log/x": "x", "charts/db/Chart.yaml": chart_yaml()}, "charts/db/charts/log/Chart.yaml is"),
        ({"charts/db": "x"}, "charts/db is no chart"),
        ({"charts/db.tgz/Chart.yaml": chart_yaml()}, "charts/db.tgz/Chart.yaml lies in a folder"),
        ({"charts/db.tgz": package("db", version="x")}, "charts/db.tgz/Chart.yaml: version 'x'"),
        ({"charts/db.tgz": archive([])}, "'charts/db.tgz': the package holds no files"),
        ({"charts/db.tgz": archive([("x", b"")])}, "'charts/db.tgz': 'x' lies outside"),
        ({"charts/a.tgz": package(files={"charts/b.tgz": b"x"})}, "'charts/a.tgz': 'charts/b.tgz': the package is not"),
        ({"values.yaml": "a: [\n"}, "values.yaml: line 2: "),
        ({"values.yaml": "text"}, "values.yaml holds the text 'text'"),
        ({"Chart.lock": "generated: x\n"}, "Chart.lock: generated holds the text 'x'"),
        (
            {"charts/db/requirements.lock": "[]", "charts/db/Chart.yaml": chart_yaml()},
            "charts/db/requirements.lock holds",
        ),
        ({"requirements.yaml": "dependencies: x\n"}, "requirements.yaml: dependencies holds the text 'x'"),
        ({"requirements.yaml": "a: *b\n"}, "requirements.yaml: line 1: alias 'b'"),
        ({"Chart.yaml": "a: [\n"}, "Chart.yaml: line 2: "),
        ({"Chart.yaml": "- a\n"}, "Chart.yaml holds a list"),
    ],
)
def test_what_helm_refuses_is_refused_with_file_and_place(files: dict[str, bytes | str], problem: str) -> None:
    assert refusal(package(files=files))[0].startswith(problem)


def test_problems_of_all_files_are_told_at_once() -> None:
    files: dict[str, bytes | str] = {"values.yaml": "[]", "charts/db/Chart.yaml": "{}"}

    assert [problem.split()[0] for problem in refusal(package(version="x", files=files))] == [
        "values.yaml",
        "Chart.yaml:",
        "charts/db/Chart.yaml:",
        "charts/db/Chart.yaml:",
    ]


def test_only_the_first_problems_are_told() -> None:
    found = refusal(package(dependencies=[None] * 100))

    assert len(found) == 21
    assert found[-1] == "and 80 more"


def test_of_two_subcharts_with_one_file_name_helm_takes_the_first() -> None:
    read(packed(("app/charts/db.tgz", package("db")), ("app/charts/db.tgz", b"x")))

    assert "'charts/db.tgz'" in refusal(packed(("app/charts/db.tgz", b"x"), ("app/charts/db.tgz", package("db"))))[0]


def test_directories_are_not_looked_at() -> None:
    directories: list[Item] = [("../", b""), ("/etc/", b""), ("x/", b"")]

    assert read(archive([*directories, CHART])).reservations == ()


def test_links_are_reserved_by_name() -> None:
    found = read(packed(("app/a", Link("/etc/passwd")), Entry("app/b", kind=b"1", link="x"))).reservations

    assert [text.split()[0] for text in found] == ["'a'", "'b'"]


def test_a_link_that_claims_bytes_is_refused() -> None:
    assert refusal(packed(Entry("app/a", kind=b"2", size=9))) == (
        "'a' is a link that claims to hold 9 bytes: pack the chart again with `helm package`",
    )


def test_names_of_subcharts_in_messages_stay_on_one_line() -> None:
    (found,) = refusal(packed(("app/charts/a\nb/charts/c\td.tgz/x", b"")))

    assert found.isprintable()


def test_paths_in_messages_stay_on_one_line() -> None:
    (found,) = refusal(packed(pax({"path": "a\nb" * 1000}), Entry("x")))

    assert found.isprintable()
    assert len(found) < 300


# Files


def test_files_are_read_by_their_path_in_the_chart() -> None:
    data = package(
        files={"templates/a.yaml": "a", "templates/b.yaml": b"\xef\xbb\xbfb", "charts/x/templates/c.yaml": "c"}
    )

    found = read_files(io.BytesIO(data), lambda path: path.startswith("templates/"))

    assert found.keys() == {"templates/configmap.yaml", "templates/a.yaml", "templates/b.yaml"}
    assert found["templates/b.yaml"] == b"b"


def test_files_are_read_out_of_a_chart_that_is_not_judged() -> None:
    data = archive([("app/values.yaml", "- x"), ("app\\values.yaml", "- y"), ("app/a/../link", Link("x"))])

    assert read_files(io.BytesIO(data), lambda _: True) == {"values.yaml": b"- y", "link": b""}


def test_files_are_read_within_the_same_limits() -> None:
    with pytest.raises(PackageRefused, match="leads out"):
        read_files(io.BytesIO(packed(("app/../x", b""))), lambda _: False)
    with pytest.raises(PackageRefused, match="'big' holds 11 bytes"):
        read_files(io.BytesIO(archive([("app/big", bytes(11))])), lambda _: False, Limits(file=10))


# Limits

FEW = Limits(
    total=10_000, file=5_000, entries=20, extensions=600, metadata=500, values=900, nodes=200, charts=4, levels=2
)
SUBCHART = gzipped(tar([("db/Chart.yaml", chart_yaml("db")), ("db/x", bytes(4000))]))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (packed(("app/a", bytes(5001))), "'a' holds 5001 bytes"),
        (packed(*((f"app/{n}", bytes(4000)) for n in range(3))), "10000 bytes or more"),
        (packed(*((f"app/charts/{n}.tgz", SUBCHART) for n in range(3))), "10000 bytes or more"),
        (packed(*((f"app/{n}", b"") for n in range(20))), "more than 20 entries"),
        (packed(*((f"app/{n}/", b"") for n in range(20))), "more than 20 entries"),
        (gzipped(b"") * 20 + packed(), "more than 20 entries"),
        (packed(pax({"path": "app/" + "x" * 600}), Entry("x")), "more than 600 bytes"),
        (packed(("app/Chart.lock", "#" * 500)), "Chart.lock is too large"),
        (packed(("app/values.yaml", "#" * 901)), "values.yaml is too large"),
        (packed(("app/values.yaml", "a: [" + "x," * 200 + "]")), "values.yaml holds more values"),
        (packed(*((f"app/charts/{n}/Chart.yaml", chart_yaml()) for n in range(4))), "more than 4 charts"),
        (packed(("app/charts/a/charts/b/charts/c/Chart.yaml", chart_yaml())), "more than 2 levels"),
    ],
)
def test_every_limit_holds_for_all_that_is_in_a_package(data: bytes, words: str) -> None:
    assert words in refusal(data, FEW)[0]


def test_what_follows_the_end_has_the_same_limits() -> None:
    assert "more than 20 entries" in read(packed() + gzipped(b"") * 20, FEW).reservations[0]


def test_the_largest_package_that_helm_loads_is_read() -> None:
    items: list[Item] = [(f"app/{n}.bin", bytes(100)) for n in range(9)]
    size = 900 + len(chart_yaml())

    assert read(packed(*items), replace(DEFAULT, total=size + 1)).reservations == ()
    assert "bytes or more" in refusal(packed(*items), replace(DEFAULT, total=size))[0]


def zeros() -> bytes:
    return packed(*((f"app/{n}.bin", bytes(5 * MIB)) for n in range(19)))


def nested() -> bytes:
    return packed(("app/charts/db.tgz", archive([("db/Chart.yaml", chart_yaml()), ("db/x", bytes(5 * MIB))])))


def many_values() -> bytes:
    return packed(("app/values.yaml", "a:\n" + "- a\n" * 1_000_000))


def long_text() -> bytes:
    return packed(("app/values.yaml", "a: " + "x" * (5 * MIB - 10)))


def behind_the_end() -> bytes:
    return gzipped(tar([CHART]) + bytes(50 * MIB))


@pytest.mark.parametrize("build", [zeros, nested, many_values, long_text, behind_the_end])
def test_memory_stays_flat(build: Callable[[], bytes]) -> None:
    data = build()
    tracemalloc.start()
    with contextlib.suppress(PackageRefused):
        read(data)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert most < 16 * MIB


# Whatever comes in

SOUND = tar(
    [
        CHART,
        ("app/values.yaml", "a: &a {b: [1, 2]}\nc: *a\n"),
        pax({"path": "app/templates/" + "x" * 200}),
        ("short", "x"),
        ("app/charts/db.tgz", package("db")),
        ("app/Chart.lock", "digest: x\n"),
    ]
)


def mutated(data: bytes, changes: list[tuple[int, int]]) -> bytes:
    copy = bytearray(data)
    for place, byte in changes:
        copy[place % len(copy)] = byte
    return bytes(copy)


def with_right_checksums(data: bytes) -> bytes:
    copy = bytearray(data)
    for at in range(0, len(copy) - 511, 512):
        if copy[at + 257 : at + 262] == b"ustar":
            copy[at + 148 : at + 156] = b" " * 8
            copy[at + 148 : at + 156] = b"%06o\0 " % sum(copy[at : at + 512])
    return bytes(copy)


CHANGES = st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), min_size=1, max_size=8)


def read_or_refuse(data: bytes) -> None:
    """Read it in both ways; either reads it or refuses it in words."""
    for attempt in (read, lambda data: read_files(io.BytesIO(data), lambda _: True)):
        try:
            attempt(data)
        except PackageRefused as refused:
            problems = refused.problems
        else:
            problems = ("none",)
        assert problems
        assert all(problem.isprintable() for problem in problems)


@given(CHANGES)
@settings(max_examples=200)
def test_a_damaged_gzip_file_is_read_or_refused(changes: list[tuple[int, int]]) -> None:
    read_or_refuse(mutated(gzipped(SOUND), changes))


@given(CHANGES, st.booleans())
@settings(max_examples=200)
def test_a_damaged_archive_is_read_or_refused(changes: list[tuple[int, int]], repaired: bool) -> None:
    data = mutated(SOUND, changes)
    read_or_refuse(gzipped(with_right_checksums(data) if repaired else data))


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    read_or_refuse(data)
    read_or_refuse(gzipped(data))
    read_or_refuse(packed(("app/Chart.yaml", data)))
    read_or_refuse(packed(("app/charts/db.tgz", data)))


@pytest.mark.parametrize("length", range(0, len(gzipped(SOUND)) - 30, 7))
def test_a_package_cut_off_anywhere_is_refused(length: int) -> None:
    (found,) = refusal(gzipped(SOUND)[:length])

    assert "cut off" in found or length < 10


def test_a_package_cut_off_behind_its_last_file_is_reserved() -> None:
    assert "cut off" in read(gzipped(SOUND)[:-1]).reservations[0]


def test_bytes_that_do_not_shrink_are_read_too() -> None:
    noise = random.Random(0).randbytes(300_000)
    stored = gzipped(tar([CHART, ("app/noise", noise)]), level=0)

    assert read_files(io.BytesIO(stored), lambda path: path == "noise") == {"noise": noise}


def test_what_is_too_large_to_be_held_is_told_by_its_digest() -> None:
    data = package(files={"big": b"b" * 5_000, "small": b"s" * 10, "late": b"l" * 900})
    held = hold_files(io.BytesIO(data), each=1_000, together=1_000)
    assert held["big"] == Held("big", 5_000, None, sha256(b"b" * 5_000).hexdigest())
    assert held["small"].data == b"s" * 10
    assert held["late"].digest == sha256(b"l" * 900).hexdigest()
    assert held["small"].digest == ""
