"""The container images of a chart: those that it names in its annotations, and those that its values name."""

from typing import NamedTuple

from flask import Response

from chartrepo.core import annotations
from chartrepo.core.errors import PackageRefused
from chartrepo.core.found_images import FoundImage, find_images
from chartrepo.core.values import load_values
from chartrepo.core.values_tree import DEEPEST, MOST_NODES
from chartrepo.core.yaml11 import Budget
from chartrepo.described_values import VALUES
from chartrepo.http.pages.chart_frame import ChartFrame
from chartrepo.http.pages.values_tab import value_anchor


class FromValues(NamedTuple):
    """An image that values name, and where those are shown."""

    found: FoundImage
    anchor: str


class ImagesTab:
    """The page.

    Args:
        frame: around it.
    """

    def __init__(self, frame: ChartFrame) -> None:
        self._frame = frame

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
        said = annotations.images(opened.annotations)
        return self._frame.render(
            opened,
            "images",
            "tab_images.html",
            said=said,
            found=[FromValues(each, value_anchor(each.path)) for each in found],
            problem=problem,
        )
