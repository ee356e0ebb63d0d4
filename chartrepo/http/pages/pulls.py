"""How often charts were pulled, for templates."""

from collections.abc import Sequence

from flask import Flask

from chartrepo.catalog import PackageRecord, PullView
from chartrepo.core.pulls import Tally


class PullsShown:
    """What templates ask. Whether the caller may read the chart, the view has asked that shows it.

    Args:
        pulls: of all charts; None where they are not counted.
    """

    def __init__(self, pulls: PullView | None) -> None:
        self._pulls = pulls

    def register(self, app: Flask) -> None:
        """Let templates ask."""
        app.jinja_env.globals |= {
            "pulls_are_counted": self._pulls is not None,
            "pulls_of": self._of,
            "pulls_of_versions": self._of_versions,
        }

    def _of(self, record: PackageRecord) -> tuple[Tally | None, Tally | None] | None:
        """Return how often any version of a chart, and this one, was pulled; None where that is not counted."""
        if self._pulls is None:
            return None
        chart = self._pulls.chart(record.repository, record.name)
        version = self._pulls.versions(record.repository, record.name, [record.version]).get(record.version)
        return (chart if chart.pulls else None, version)

    def _of_versions(self, records: Sequence[PackageRecord]) -> dict[str, Tally]:
        """Return it of some versions of one chart; those that nobody pulled are left out."""
        if self._pulls is None or not records:
            return {}
        first = records[0]
        return self._pulls.versions(first.repository, first.name, [record.version for record in records])
