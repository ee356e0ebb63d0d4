"""The templates of a chart, one at a time, with what they take from the values linked to it."""

from collections.abc import Mapping
from typing import Final

from flask import Response

from chartrepo.contents import Contents
from chartrepo.core.template_files import TemplateFile, is_template, template_file
from chartrepo.described_values import ValuesCache
from chartrepo.http.pages.chart_frame import ChartFrame, Opened
from chartrepo.http.pages.code import ValueLink, show_code
from chartrepo.http.pages.links import Links
from chartrepo.http.pages.tab_parts import asked_number, asked_path, text_of
from chartrepo.http.pages.values_tab import pages_by_anchor, value_anchor

_MOST: Final = 500
_ORDER: Final[Mapping[str, int]] = {"": 0, "hook": 1, "test": 2, "notes": 3, "helpers": 4}
_TITLES: Final = {
    "": "Resources",
    "hook": "Hooks",
    "test": "Tests",
    "notes": "Notes",
    "helpers": "Helpers",
}


class TemplatesTab:
    """The page.

    Args:
        frame: around it.
        links: build addresses.
        values: describes those that templates take.
    """

    def __init__(self, frame: ChartFrame, links: Links, values: ValuesCache) -> None:
        self._frame = frame
        self._links = links
        self._values = values

    def view(self, rest: str) -> Response:
        """GET of the templates of a chart."""
        opened = self._frame.open(rest)
        listed = [path for path in opened.contents.files if is_template(path)]
        described = [_described(opened.contents, path) for path in listed[:_MOST]]
        groups = [
            (_TITLES[role], [each for each in described if each.role == role])
            for role in sorted({each.role for each in described}, key=lambda role: _ORDER[role])
        ]
        path = asked_path(opened.contents)
        if path is None and groups:
            path = groups[0][1][0].path
        data = opened.contents.data(path) if path is not None else None
        text = text_of(data) if data is not None else None
        return self._frame.render(
            opened,
            "templates",
            "tab_templates.html",
            groups=groups,
            left_out=len(listed) - len(described),
            path=path,
            file=opened.contents.files.get(path or ""),
            about=template_file(path, text) if path is not None and text is not None else None,
            code=show_code(path or "", text, part=asked_number("part"), value_link=self.value_link(opened))
            if text is not None
            else None,
        )

    def value_link(self, opened: Opened) -> ValueLink:
        """Return what links a value of a chart by the names behind `.Values`."""
        record = opened.subject.record
        described = self._values.of(record.digest, opened.contents)
        pages: list[Mapping[str, int]] = []  # one, once it is needed
        known: dict[tuple[str, ...], str | None] = {}

        def address(names: tuple[str, ...]) -> str | None:
            path = described.nearest(names)
            if path is None:
                return None
            if not pages:
                pages.append(pages_by_anchor(described))
            anchor = value_anchor(path)
            where = self._links.chart(
                record.repository, record.name, opened.subject.asked, tab="values", page=pages[0].get(anchor)
            )
            return f"{where}#{anchor}"

        def link(names: tuple[str, ...]) -> str | None:
            if names not in known:
                known[names] = address(names)
            return known[names]

        return link


def _described(contents: Contents, path: str) -> TemplateFile:
    return template_file(path, contents.text(path) or "")
