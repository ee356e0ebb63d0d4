"""The container images of a chart: those that it names in its annotations, and those that its values name."""

from typing import NamedTuple

from flask import Response

from chartrepo.core import annotations
from chartrepo.core.errors import PackageRefused
from chartrepo.core.found_images import FoundImage, find_images
from chartrepo.core.values import load_values
from chartrepo.core.values_tree import DEEPEST, MOST_NODES
from chartrepo.core.yaml11 import Budget
from chartrepo.described_values import VALUES, ValuesCache
from chartrepo.http.pages.chart_frame import ChartFrame
from chartrepo.http.pages.values_tab import pages_by_anchor, value_anchor


class FromValues(NamedTuple):
    """An image that values name, and where those are shown: the id there, and the page if there are several."""

    found: FoundImage
    anchor: str
    page: int | None


class ImagesTab:
    """The page.

    Args:
        frame: around it.
        values: tell where each of them is shown.
    """

    def __init__(self, frame: ChartFrame, values: ValuesCache) -> None:
        self._frame = frame
        self._values = values

    def view(self, rest: str) -> Response:
        """GET of the images of a chart."""
        opened = self._frame.open(rest)
        data = opened.contents.data(VALUES)
        problem = ""
        found: list[FoundImage] = []
        if data is not None:
            try:
                found = find_images(load_values(data, Budget(nodes=MOST_NODES, depth=DEEPEST)))
            except PackageRefused as error:
                problem = str(error)
        described = self._values.of(opened.subject.record.digest, opened.contents) if found else None
        pages = pages_by_anchor(described) if described is not None else {}
        anchors = [value_anchor(each.path) for each in found]
        said = annotations.images(opened.annotations)
        return self._frame.render(
            opened,
            "images",
            "tab_images.html",
            said=said,
            found=[FromValues(*each, pages.get(each[1])) for each in zip(found, anchors, strict=True)],
            problem=problem,
        )
