"""All files of a package, each of which can be looked at."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from flask import Response

from chartrepo.core.archive import Held
from chartrepo.core.errors import FileNotFound
from chartrepo.core.template_files import is_template
from chartrepo.core.visible import visible_name
from chartrepo.http.pages.chart_frame import ChartFrame
from chartrepo.http.pages.code import show_code
from chartrepo.http.pages.site import Site
from chartrepo.http.pages.tab_parts import asked_number, asked_path, asked_text, text_of
from chartrepo.http.pages.templates_tab import TemplatesTab

_MOST: Final = 400
"""Files of a tree that is shown at once; of more, one folder at a time."""
_DEEPEST: Final = 12
"""Folders in each other; what lies deeper is shown with the rest of its path."""


@dataclass(slots=True)
class Folder:
    """A folder of a package.

    Attributes:
        name: of it.
        path: with a slash at the end; empty for the package itself.
        size: of all files in it, in bytes.
        count: of all files in it.
        folders: right in it, by name.
        files: right in it.
    """

    name: str
    path: str
    size: int = 0
    count: int = 0
    folders: "dict[str, Folder]" = field(default_factory=dict)
    files: list[Held] = field(default_factory=list)


class FilesTab:
    """The page.

    Args:
        frame: around it.
        site: that the page is of.
        templates: links what templates take from the values.
    """

    def __init__(self, frame: ChartFrame, site: Site, templates: TemplatesTab) -> None:
        self._frame = frame
        self._site = site
        self._templates = templates

    def view(self, rest: str) -> Response:
        """GET of the files of a package, or of one of them."""
        opened = self._frame.open(rest)
        record, contents = opened.subject.record, opened.contents
        path = asked_path(contents)
        inside = asked_text("folder", 1000)
        if not inside and path is not None and len(contents.files) > _MOST and "/" in path:
            inside = path[: path.rindex("/") + 1]
        listed = [file for file in contents.files.values() if file.path.startswith(inside)]
        if not listed:
            raise FileNotFound(f"the package has no folder {visible_name(inside)}")
        data = contents.data(path) if path is not None else None
        text = text_of(data) if data is not None else None
        link = self._templates.value_link(opened) if path is not None and is_template(path) else None
        return self._frame.render(
            opened,
            "files",
            "tab_files.html",
            tree=tree_of(listed, inside, whole=len(listed) <= _MOST),
            most=_MOST,
            inside=inside,
            above=inside[: inside.rstrip("/").rfind("/") + 1],
            count=len(contents.files),
            size=sum(file.size for file in contents.files.values()),
            path=path,
            file=contents.files.get(path or ""),
            code=show_code(path or "", text, part=asked_number("part"), value_link=link) if text is not None else None,
            package=self._site.links.package(record.repository, record.file),
        )


def tree_of(files: Iterable[Held], inside: str, *, whole: bool) -> Folder:
    """Return files as a tree.

    Args:
        files: all below a folder.
        inside: the path of that folder, with a slash at its end; empty for the package.
        whole: whether folders below it have their files in them, and not just their number and size.
    """
    root = Folder("", inside)
    for file in files:
        root.size += file.size
        root.count += 1
        folders = file.path[len(inside) :].split("/")[:-1][:_DEEPEST]
        here = root
        for name in folders if whole else folders[:1]:
            below = here.folders.get(name)
            if below is None:
                below = here.folders[name] = Folder(name, f"{here.path}{name}/")
            here = below
            here.size += file.size
            here.count += 1
        if whole or not folders:
            here.files.append(file)
    return root
