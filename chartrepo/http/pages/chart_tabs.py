"""The tabs of a chart's page but the first, each under its kind."""

from flask import Flask

from chartrepo.core.visible import visible_name
from chartrepo.described_values import ValuesCache
from chartrepo.http.pages.attachments_tab import AttachmentsTab
from chartrepo.http.pages.changelog_tab import ChangelogTab
from chartrepo.http.pages.chart_frame import ChartFrame
from chartrepo.http.pages.crds_tab import CrdsTab
from chartrepo.http.pages.dependencies_tab import DependenciesTab
from chartrepo.http.pages.files_tab import FilesTab
from chartrepo.http.pages.images_tab import ImagesTab
from chartrepo.http.pages.links import UI
from chartrepo.http.pages.site import Site
from chartrepo.http.pages.templates_tab import TemplatesTab
from chartrepo.http.pages.values_tab import ValuesTab
from chartrepo.http.pages.versions_tab import VersionsTab
from chartrepo.registry import Registry


class ChartTabs:
    """All of them.

    Args:
        site: that they are of.
        registry: tells what refers to a chart.
    """

    def __init__(self, site: Site, registry: Registry) -> None:
        frame = ChartFrame(site)
        values = ValuesCache()
        templates = TemplatesTab(frame, site.links, values)
        self._views = {
            "values": ValuesTab(frame, values).view,
            "templates": templates.view,
            "crds": CrdsTab(frame).view,
            "dependencies": DependenciesTab(frame, site).view,
            "images": ImagesTab(frame, values).view,
            "changelog": ChangelogTab(frame, site).view,
            "attachments": AttachmentsTab(frame, site, registry).view,
            "files": FilesTab(frame, site, templates).view,
            "versions": VersionsTab(frame, site).view,
        }

    def register(self, app: Flask) -> None:
        """Add their routes to an application."""
        app.jinja_env.filters["visible"] = visible_name
        for kind, view in self._views.items():
            app.add_url_rule(f"{UI}/{kind}/<path:rest>", f"ui_{kind}", view, methods=["GET"])
