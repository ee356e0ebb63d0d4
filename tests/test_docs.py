"""What the pages say agrees with the code: settings, commands, metrics, the picture of the tree, and links."""

import itertools
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import pytest

from chartrepo import reference
from chartrepo.access import parse_rules
from chartrepo.cli import cli
from chartrepo.configuration import load
from chartrepo.settings import TABLE

ROOT: Final = Path(__file__).parent.parent
RENEW: Final = "run: python -m chartrepo.reference"
PAGES: Final = sorted(
    page.relative_to(ROOT) for pattern in ("*.md", "docs/**/*.md", "benchmarks/*.md") for page in ROOT.glob(pattern)
)
BLOCK: Final = re.compile(r"(?ms)^ *```.*?^ *```$")
LINK: Final = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


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


@pytest.mark.parametrize("page", ["docs/security.md", "docs/trusted-publishing.md"])
def test_rules_on_a_page_can_be_used(page: str) -> None:
    blocks = re.findall(r"(?ms)^```yaml\n(permissions:\n  - .*?)^```$", read(Path(page)))
    assert len(blocks) > 1
    for block in blocks:
        rules = parse_rules(block.encode())
        assert rules.permissions.never_match(issuers=rules.kinds) == []


def read(page: Path) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"(?m)^#+ (.+)$", BLOCK.sub("", read(page)))
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(BLOCK.sub("", read(page))):
        if re.match(r"https?://|mailto:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (ROOT / page).parent / file if file else ROOT / page
        assert target.exists(), f"{page}: {link}"
        if anchor:
            assert anchor in anchors(target.resolve().relative_to(ROOT)), f"{page}: {link}"


def test_every_page_can_be_found_from_the_first_one() -> None:
    found, left = set[Path](), [Path("README.md")]
    while left:
        page = left.pop()
        if page in found:
            continue
        found.add(page)
        targets = [((ROOT / page).parent / link.partition("#")[0]).resolve() for link in LINK.findall(read(page))]
        left += [file.relative_to(ROOT) for file in targets if file.suffix == ".md" and file.is_file()]
        left += [
            file.relative_to(ROOT)
            for folder in targets
            if folder.is_dir() and folder != ROOT
            for file in folder.glob("*.md")
        ]
    assert [str(page) for page in PAGES if page not in found] == []


def command_lines(text: str) -> Iterator[list[str]]:
    """The arguments of every `chartrepo` that a page tells people to type."""
    typed = [
        line for block in BLOCK.findall(text) for line in re.findall(r"(?m)^ *\$ (.*)$", block.replace("\\\n", ""))
    ]
    for line in [*typed, *re.findall(r"`(chartrepo [^`]+)`", BLOCK.sub("", text))]:
        words = shlex.split(line, comments=True)
        for position, word in enumerate(words):
            if word in {"chartrepo", ".venv/bin/chartrepo"} and position + 1 < len(words):
                rest = words[position + 1 :]
                yield list(itertools.takewhile(lambda each: each not in {"|", "&", "&&", ";", ">"}, rest))


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_commands_and_flags_on_the_pages_are_there(page: Path) -> None:
    for words in command_lines(read(page)):
        command: click.Command = cli
        while isinstance(command, click.Group) and words and words[0] in command.commands:
            command = command.commands[words.pop(0)]
        assert command is not cli or words[0].startswith("-"), f"{page}: there is no command {words[0]}"
        known = {"--help", *(flag for each in command.params for flag in (*each.opts, *each.secondary_opts))}
        assert [word for word in words if word.startswith("--") and word.partition("=")[0] not in known] == [], page


def test_the_first_page_names_every_command() -> None:
    named = {words[0] for words in command_lines(read(Path("README.md"))) if words}
    assert sorted(set(cli.commands) - named) == []


def test_the_first_page_has_the_defaults_of_the_settings_that_it_names() -> None:
    table = read(Path("README.md")).partition("## Settings")[2].partition("## API")[0]
    known = {setting.name: setting for setting in TABLE}
    rows = re.findall(r"(?m)^\| (`.+?) \| (.+?) \|", table)
    assert rows
    for names, defaults in rows:
        shown = re.findall(r"`([^`]+)`", defaults)
        for name, default in itertools.zip_longest(re.findall(r"`([^`]+)`", names), shown):
            assert name in known
            if default is not None:
                assert default == known[name].default


def test_every_metric_has_a_row_and_every_row_a_metric() -> None:
    page = read(Path("docs/operations.md")).partition("## Metrics")[2].partition("## Logs")[0]
    rows = "\n".join(row for row in page.splitlines() if row.startswith("| `"))
    shown = {name.removesuffix("_total") for name in re.findall(r"`(chartrepo_\w+)`", rows)}
    assert shown == set(re.findall(r'"(chartrepo_\w+)"', read(Path("chartrepo/metrics.py"))))


def test_the_picture_of_the_layout_is_the_tree() -> None:
    picture = read(Path("docs/architecture.md")).partition("## Layout")[2].partition("```")[2].partition("```")[0]
    drawn, folders = set[str](), list[str]()
    for indent, name in re.findall(r"(?m)^( *)(\S+)", picture):
        depth = len(indent) // 2
        folders = folders[:depth]
        if name.endswith("/"):
            folders.append(name)
        else:
            drawn.add("".join(folders) + name)
    there = {
        str(file.relative_to(ROOT))
        for package in ("chartrepo", "storage")
        for file in (ROOT / package).rglob("*.py")
        if file.name != "__init__.py"
    }
    assert drawn == there


def test_every_test_that_a_page_names_is_there() -> None:
    code = "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "tests").rglob("*.py"))
    for page in PAGES:
        named = re.findall(r"`((?:test_|Test)\w+)`", read(page))
        assert [name for name in named if not re.search(rf"(?:def|class) {name}\b", code)] == [], page


def test_decisions_are_numbered_as_their_files_are() -> None:
    for file in sorted((ROOT / "docs/adr").glob("*.md")):
        assert file.read_text(encoding="utf-8").startswith(f"# {int(file.name[:4])}. "), file.name
