"""The configuration file that people copy and the reference page agree with the settings."""

import itertools
import re
import tomllib
from pathlib import Path
from typing import Final

from chartrepo import reference
from chartrepo.configuration import load
from chartrepo.settings import TABLE

ROOT: Final = Path(__file__).parent.parent
RENEW: Final = "run: python -m chartrepo.reference"


def test_the_annotated_configuration_file_is_up_to_date() -> None:
    assert (ROOT / reference.CONFIGURATION_FILE).read_text(encoding="utf-8") == reference.annotated_file(), RENEW


def test_the_configuration_reference_is_up_to_date() -> None:
    assert (ROOT / reference.REFERENCE_PAGE).read_text(encoding="utf-8") == reference.reference_page(), RENEW


def test_the_annotated_configuration_file_sets_nothing_as_it_is() -> None:
    found = load({}, {"config": str(ROOT / reference.CONFIGURATION_FILE)}, Path.read_text)
    assert set(found.sources.values()) == {"default"}


def test_the_annotated_configuration_file_sets_every_default_when_it_is_uncommented() -> None:
    text, count = re.subn(r"(?m)^#(?=\w)", "", (ROOT / reference.CONFIGURATION_FILE).read_text(encoding="utf-8"))
    found = load({}, {"config": "chartrepo.yaml"}, lambda _: text)
    assert count == len(TABLE)
    assert found.settings == load({}, {}, Path.read_text).settings
    given = [name for name, source in found.sources.items() if source != "default"]
    empty = [name for name, value, _ in found.shown() if not value]
    assert sorted(given + empty) == sorted(setting.name for setting in TABLE)


def test_writing_the_reference_anew_gives_the_same_files(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "docs").mkdir()
    reference.write(tmp_path)
    for file in (reference.CONFIGURATION_FILE, reference.REFERENCE_PAGE):
        assert (tmp_path / file).read_bytes() == (ROOT / file).read_bytes()


def test_help_texts_are_phrases_that_take_a_full_stop() -> None:
    for setting in TABLE:
        assert re.match(r"[A-Za-z]", setting.help), setting.name
        assert not setting.help.endswith((".", " ", ";")), setting.name
        assert "|" not in setting.help, f"{setting.name}: a bar would end the cell of the reference's table"
        assert "<" not in setting.help, f"{setting.name}: Markdown would take it for HTML"


def test_every_dependency_has_a_record_of_why_it_was_chosen() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"].values()
    groups = project["dependency-groups"].values()
    requirements = [*project["project"]["dependencies"], *itertools.chain(*extras), *itertools.chain(*groups)]
    names = {re.split(r"[^A-Za-z0-9-]", each, maxsplit=1)[0].lower() for each in requirements if isinstance(each, str)}
    records = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "docs/adr").glob("*.md")).lower()
    assert sorted(name for name in names if f"`{name}`" not in records) == []
