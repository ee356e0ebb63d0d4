"""Feeds as XML: what is written can be read again, whatever was put in."""

import re
from typing import Any, Final
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chartrepo.core import atom

NS: Final = {"a": atom.NAMESPACE}


def entry(**said: Any) -> atom.Entry:
    some = {"id": "urn:x", "title": "t", "updated": 0, "link": "http://x/", "authors": (), "summary": "s"}
    return atom.Entry(**{**some, **said})


def feed(*entries: atom.Entry) -> ET.Element:
    made = atom.Feed(
        title="t",
        address="http://x/f",
        link="http://x/",
        author="x",
        generator=("chartrepo", "1"),
        entries=entries,
    )
    return ET.fromstring(atom.render(made))


@given(st.text(st.characters(codec=None), max_size=40))
def test_any_text_can_be_read_again(text: str) -> None:
    (read,) = feed(entry(summary=text, title=text, authors=[text])).findall("a:entry", NS)
    told = read.findtext("a:summary", "", NS)
    wanted = re.sub("\r\n?", "\n", text)  # as readers of XML have to
    assert len(told) == len(wanted)
    assert all(mine in (said, "\N{REPLACEMENT CHARACTER}") for mine, said in zip(told, wanted, strict=True))


def test_it_is_as_new_as_its_newest_entry() -> None:
    assert feed(entry(updated=60), entry(id="urn:y", updated=3600)).findtext("a:updated", "", NS) == (
        "1970-01-01T01:00:00Z"
    )
    assert feed().findtext("a:updated", "", NS) == "1970-01-01T00:00:00Z"


@pytest.mark.parametrize("seconds", [-1, 2**60])
def test_a_time_that_is_none_has_a_date(seconds: int) -> None:
    assert feed(entry(updated=seconds)).findtext("a:updated", "", NS)[4] == "-"


def test_ids_tell_parts_apart() -> None:
    one = atom.entry_id("team", "web", "1.0.0", "ab")
    assert one == atom.entry_id("team", "web", "1.0.0", "ab") != atom.entry_id("team", "web", "1.0.0", "cd")
    assert one.startswith("urn:uuid:")
    assert (one[23], one[28] in "89ab") == ("8", True)
