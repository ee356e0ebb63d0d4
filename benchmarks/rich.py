"""A chart as large as those that companies install, in two versions that differ as two releases of one do."""

import io
import tarfile
from typing import Final

NAME: Final = "platform"
OLD: Final = "18.4.2"
NEW: Final = "19.0.0"
_SECTIONS: Final = 60
_TEMPLATES: Final = 30
_TIME: Final = 1_700_000_000


def package(version: str) -> bytes:
    """The package of one of the two versions: about 1,300 lines of values, a README of 90 KB, 30 templates."""
    newer = version == NEW
    files = {
        "Chart.yaml": _chart_yaml(version),
        "values.yaml": _values(newer=newer),
        "README.md": _readme(newer=newer),
        "templates/NOTES.txt": "Thank you for installing {{ .Chart.Name }}.\n" * (4 if newer else 3),
        "templates/_helpers.tpl": _helpers(),
        **{f"templates/part-{number}.yaml": _template(number, newer=newer) for number in range(_TEMPLATES)},
    }
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz", compresslevel=6) as archive:
        for path, text in files.items():
            info = tarfile.TarInfo(f"{NAME}/{path}")
            info.size, info.mtime = len(text.encode()), _TIME
            archive.addfile(info, io.BytesIO(text.encode()))
    return target.getvalue()


def _chart_yaml(version: str) -> str:
    return f"""apiVersion: v2
name: {NAME}
version: {version}
appVersion: "{version.partition(".")[0]}.1"
description: Everything that an application needs, for measuring pages
kubeVersion: ">=1.27.0-0"
keywords: [platform, database, cache, queue]
home: https://example.com/platform
sources: [https://example.com/platform/source]
maintainers:
  - {{name: Ada, email: ada@example.com}}
dependencies:
  - {{name: cache, version: {"19.x.x" if version == NEW else "18.x.x"}, repository: https://example.com/charts}}
annotations:
  artifacthub.io/license: Apache-2.0
  artifacthub.io/changes: |
    - kind: added
      description: A second queue
    - kind: fixed
      description: The probe of the cache
  artifacthub.io/images: |
    - name: platform
      image: registry.example.com/platform:{version}
"""


def _values(*, newer: bool) -> str:
    sections = []
    for number in range(_SECTIONS + newer):
        replicas = 2 if newer and number % 7 == 0 else 1
        sections.append(
            f"""## @section Part {number}
## What part {number} of the platform does, and when one wants it.

part{number}:
  ## @param part{number}.enabled Whether part {number} is installed
  enabled: {"true" if number % 2 else "false"}
  # -- How many pods of it there are
  replicaCount: {replicas}
  image:
    registry: registry.example.com
    repository: platform/part{number}
    # -- Its tag; the chart's appVersion when empty
    tag: ""
    pullPolicy: IfNotPresent
  service: {{type: ClusterIP, port: {8000 + number}}}
  resources:
    requests: {{cpu: 100m, memory: 128Mi}}
    limits: {{cpu: 500m, memory: 512Mi}}
  nodeSelector: {{}}
  extraEnv:
    - name: PART
      value: "{number}"
"""
        )
    return "\n".join(sections)


def _readme(*, newer: bool) -> str:
    rows = "\n".join(
        f"| `part{number}.replicaCount` | How many pods of part {number} there are, **at least one** | `{1 + newer}` |"
        for number in range(_SECTIONS * 6)
    )
    chapters = "\n\n".join(
        f"## Part {number}\n\nWhat [part {number}](https://example.com/{number}) does. See `part{number}.enabled`.\n\n"
        f"```yaml\npart{number}:\n  enabled: true\n  replicaCount: 3\n```\n\n- one\n- two\n- [ ] three"
        for number in range(_SECTIONS)
    )
    return f"# Platform\n\n{chapters}\n\n## Parameters\n\n| Name | Description | Default |\n|---|---|---|\n{rows}\n"


def _helpers() -> str:
    return "\n".join(
        f'{{{{- define "platform.part{number}" -}}}}\n{{{{ .Release.Name }}}}-part{number}\n{{{{- end -}}}}'
        for number in range(_SECTIONS)
    )


def _template(number: int, *, newer: bool) -> str:
    version = "apps/v1"
    probe = "\n          startupProbe: {httpGet: {path: /live, port: http}}" if newer and number % 5 == 0 else ""
    return f"""{{{{- if .Values.part{number}.enabled }}}}
apiVersion: {version}
kind: Deployment
metadata:
  name: {{{{ include "platform.part{number}" . }}}}
  labels: {{app: part{number}}}
spec:
  replicas: {{{{ .Values.part{number}.replicaCount }}}}
  selector: {{matchLabels: {{app: part{number}}}}}
  template:
    metadata: {{labels: {{app: part{number}}}}}
    spec:
      containers:
        - name: part{number}
          image: "{{{{ .Values.part{number}.image.registry }}}}/{{{{ .Values.part{number}.image.repository }}}}"
          imagePullPolicy: {{{{ .Values.part{number}.image.pullPolicy }}}}{probe}
          ports: [{{name: http, containerPort: {{{{ .Values.part{number}.service.port }}}}}}]
          resources: {{{{- toYaml .Values.part{number}.resources | nindent 12 }}}}
      {{{{- with .Values.part{number}.nodeSelector }}}}
      nodeSelector: {{{{- toYaml . | nindent 8 }}}}
      {{{{- end }}}}
{{{{- end }}}}
"""
