"""A chart with something on every tab of its page."""

import json
from collections.abc import Mapping
from typing import Any

from tests.support.packages import package

VALUES = """\
# -- How many there are
replicas: 1
image:
  repository: nginx
  tag: "1.27"
nodeSelector:
  kubernetes.io/os: linux
servers:
  - name: a
"""
SCHEMA = json.dumps(
    {"required": ["replicas"], "properties": {"replicas": {"type": "integer", "minimum": 1}, "extra": {"enum": ["x"]}}}
)
CRD = """\
kind: CustomResourceDefinition
spec:
  group: example.com
  names:
    kind: Widget
  scope: Cluster
  versions:
  - name: v1
    storage: true
    schema: {openAPIV3Schema: {properties: {size: {type: string, description: How large}}}}
"""
FILES: Mapping[str, bytes | str] = {
    "values.yaml": VALUES,
    "values.schema.json": SCHEMA,
    "templates/web.yaml": "kind: Deployment\na: {{ .Values.replicas }}\nb: {{ .Values.servers.first }}\n",
    "templates/_helpers.tpl": '{{ define "x" }}{{ end }}\n',
    "templates/tests/a.yaml": "kind: Pod\nmetadata: {annotations: {helm.sh/hook: test}}\n",
    "crds/widget.yaml": CRD,
    "logo.png": b"\x89PNG\0\x01",
    "CHANGELOG.md": "# Changes\n",
}
ANNOTATIONS = {
    "artifacthub.io/changes": "- kind: added\n  description: A door\n  links: [{name: issue 1, url: https://example.com/1}]\n",
    "artifacthub.io/images": "- {name: web, image: 'nginx:1.27', whitelisted: true, platforms: [linux/amd64]}\n",
    "artifacthub.io/crds": "- {kind: Widget, version: v1, name: widgets, displayName: A widget, description: Turns}\n",
    "artifacthub.io/crdsExamples": "- {apiVersion: example.com/v1, kind: Widget, metadata: {name: w}, size: small}\n",
}


def rich_chart(version: str = "1.0.0", **more: Any) -> bytes:
    """The package of `web`; `more` is what its Chart.yaml says besides."""
    return package("web", version, files=FILES, annotations=ANNOTATIONS, **more)
