"""The fifty uploads: the sheet, both Helms and our reading of packages agree."""

import io
from pathlib import Path

import pytest

from chartrepo.core.archive import read_package
from chartrepo.core.errors import PackageRefused
from tests.support.helm import Helm
from tests.support.rows import ROWS, Row, by_helm, in_storage, on_upload

each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.number}-{row.what}")
by_itself = [row for row in ROWS if row.beside is None]
each_row_by_itself = pytest.mark.parametrize("row", by_itself, ids=lambda row: f"{row.number}-{row.what}")


def test_every_number_of_the_sheet_has_a_row() -> None:
    assert {row.number for row in ROWS} == set(range(51))


@pytest.mark.parametrize("major", [3, 4])
@each_row
def test_helm_says_what_the_sheet_says(row: Row, major: int, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    helm = Helm(request.getfixturevalue(f"helm{major}"), tmp_path)

    verdict, message = by_helm(helm, row)

    assert verdict in row.expected(major), message


@each_row_by_itself
def test_an_upload_gets_its_verdict_with_the_reason(row: Row) -> None:
    verdict, message = on_upload(row.build())

    assert verdict == row.verdict.on_upload, message
    assert [word for word in row.words if word not in message] == []


@each_row_by_itself
def test_a_package_that_lies_in_storage_gets_its_verdict(row: Row) -> None:
    verdict, message = in_storage(row.build())

    assert verdict == row.verdict.in_storage, message


@pytest.mark.parametrize("row", [row for row in ROWS if row.beside], ids=lambda row: f"{row.number}-{row.what}")
def test_two_versions_of_one_file_name_are_sound_by_themselves(row: Row) -> None:
    assert row.beside
    first, second = (read_package(io.BytesIO(build())) for build in (row.beside, row.build))

    assert first.chart.file == second.chart.file
    assert first.chart.name != second.chart.name
    assert (first.reservations, second.reservations) == ((), ())


@pytest.mark.parametrize("row", [row for row in ROWS if row.verdict.in_storage == "R"], ids=lambda row: row.what)
def test_a_message_is_lines_of_printable_text(row: Row) -> None:
    with pytest.raises(PackageRefused) as refused:
        read_package(io.BytesIO(row.build()))

    assert all(problem.isprintable() for problem in refused.value.problems)
