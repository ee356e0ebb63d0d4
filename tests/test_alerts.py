"""The alerts that people copy speak of metrics that exist."""

import re
from pathlib import Path

import yaml

from chartrepo.metrics import Metrics, RepositoryFigures

ALERTS = Path(__file__).parent.parent / "config" / "prometheus-alerts.yaml"


def test_every_metric_in_the_alerts_is_one_that_the_server_has(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path)
    metrics.request("/", "GET", 200, 0.1)
    metrics.storage_call("put", 0.1)
    metrics.issuer_keys("github", True)
    metrics.sync("done", 0.1, found=1, now=1)
    _, rendered = metrics.render(lambda: [RepositoryFigures("", 1, 1, 1, 0)], lambda: {"htpasswd": True})
    known = set(re.findall(r"^(chartrepo_\w+)", rendered.decode(), re.MULTILINE))

    rules = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
    asked = {name for rule in rules for name in re.findall(r"chartrepo_\w+", rule["expr"])}

    assert asked
    assert asked <= known
