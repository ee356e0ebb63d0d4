"""Charts as a company has them, for pictures of pages and for tests that look at all of them."""

import struct
import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

from tests.support.packages import package


class Demo(NamedTuple):
    """A package and where it belongs."""

    repository: str
    data: bytes


_README: Final = """# Checkout

What takes an order from the basket to the bank. It needs a database, and brings a [cache](#cache) along.

> [!NOTE]
> Version 2 keeps sessions in the cache. See [the files](docs/upgrading.md) before you upgrade.

## Installing

```console
$ helm install checkout platform/checkout --set ingress.host=shop.example.com
```

## Cache

| Parameter | What it does | Default |
|---|---|---|
| `cache.enabled` | whether a cache is installed beside it | `true` |
| `cache.replicas` | how many of them | `2` |

```yaml
ingress:
  host: shop.example.com  # where customers come
  tls: true
```

- [x] sessions survive a restart
- [ ] more than one region

![How an order goes](docs/order.png)
"""
_VALUES: Final = """# -- How many pods there are
replicaCount: {replicas}

image:
  registry: registry.example.com
  repository: shop/checkout
  # -- The chart's appVersion when empty
  tag: ""

## @section Where customers come
ingress:
  # -- The name by which the shop is reached
  host: shop.example.com
  tls: true
  annotations:
    nginx.ingress.kubernetes.io/proxy-body-size: 1m

cache:
  # -- Whether a cache is installed beside it
  enabled: true
  replicas: 2
{more}"""
_SCHEMA: Final = """{
  "$schema": "http://json-schema.org/draft-07/schema#",
  "type": "object",
  "required": ["replicaCount"],
  "properties": {
    "replicaCount": {"type": "integer", "minimum": 1, "description": "How many pods there are"},
    "ingress": {"type": "object", "properties": {"tls": {"type": "boolean", "default": true}}}
  }
}
"""
_DEPLOYMENT: Final = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "checkout.fullname" . }}
spec:
  replicas: {{ .Values.replicaCount }}
  template:
    spec:
      containers:
        - name: checkout
          image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
          {{- if .Values.cache.enabled }}
          env: [{name: CACHE, value: {{ .Release.Name }}-cache}]
          {{- end }}
"""
_CRD: Final = """apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: orders.shop.example.com
spec:
  group: shop.example.com
  scope: Namespaced
  names: {kind: Order, plural: orders, singular: order}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          description: What somebody bought
          properties:
            spec:
              type: object
              required: [items]
              properties:
                items: {type: array, description: What is in it, items: {type: string}}
"""
_ANNOTATIONS: Final = {
    "artifacthub.io/license": "Apache-2.0",
    "artifacthub.io/category": "integration-delivery",
    "artifacthub.io/links": "- name: Handbook\n  url: https://example.com/handbook\n",
    "artifacthub.io/maintainers": "- name: Grace\n  email: grace@example.com\n",
    "artifacthub.io/images": (
        "- name: checkout\n  image: registry.example.com/shop/checkout:{app}\n"
        "- name: cache\n  image: registry.example.com/library/redis:8.2\n"
    ),
    "artifacthub.io/changes": (
        "- kind: added\n  description: Sessions are kept in the cache\n"
        "  links:\n    - name: why\n      url: https://example.com/why\n"
        "- kind: fixed\n  description: Orders without items are refused\n"
    ),
    "artifacthub.io/crds": (
        "- kind: Order\n  version: v1\n  name: orders.shop.example.com\n"
        "  displayName: Order\n  description: What somebody bought\n"
    ),
    "artifacthub.io/crdsExamples": (
        "- apiVersion: shop.example.com/v1\n  kind: Order\n  metadata: {name: first}\n  spec: {items: [book]}\n"
    ),
    "artifacthub.io/recommendations": "- url: https://example.com/packages/helm/example/monitoring\n",
}
_PLAIN: Final = (
    ("platform", "cache", "8.2.1", "8.2", "An in-memory cache with replicas and metrics", ["cache", "database"]),
    (
        "platform",
        "queue",
        "3.1.0",
        "4.1",
        "Messages between services, kept until read",
        ["queue", "messaging"],
    ),
    ("platform", "database", "16.4.2", "18.1", "PostgreSQL with back-ups to S3 and a standby", ["database", "sql"]),
    ("platform", "search", "2.7.0-rc.1", "9.0", "Full-text search over the catalogue", ["search"]),
    ("team/data", "notebooks", "1.12.3", "7.4", "Notebooks for the data team", ["python", "science"]),
    ("team/data", "warehouse", "5.0.1", "25.3", "Columns instead of rows", ["database", "analytics"]),
)


def demo() -> Iterator[Demo]:
    """All of them; the same bytes each time."""
    yield from (Demo("platform", checkout(version)) for version in ("1.8.0", "1.9.2", "2.0.0"))
    for repository, name, version, app, description, keywords in _PLAIN:
        files = {"README.md": f"# {name}\n\n{description}.\n", "crds/.keep": ""}
        yield Demo(
            repository,
            package(name, version, appVersion=app, description=description, keywords=keywords, files=files),
        )
    yield Demo("", package("old-proxy", "0.9.0", description="What we had before the ingress", deprecated=True))
    yield Demo("", package("common", "2.4.0", description="Names and labels that charts share", type="library"))


def checkout(version: str) -> bytes:
    """The package of the one rich chart: with README, schema, CRD, dependencies and all annotations."""
    newest = version.startswith("2.")
    app = "2026.11" if newest else "2026.4"
    more = "\n# -- Seconds for which a session is kept\nsessionSeconds: 3600\n" if newest else ""
    files: dict[str, bytes | str] = {
        "README.md": _README,
        "values.yaml": _VALUES.format(replicas=3 if newest else 2, more=more),
        "values.schema.json": _SCHEMA,
        "templates/deployment.yaml": _DEPLOYMENT if newest else _DEPLOYMENT.replace("cache.enabled", "cache.replicas"),
        "templates/_helpers.tpl": '{{- define "checkout.fullname" -}}\n{{ .Release.Name }}\n{{- end }}\n',
        "templates/NOTES.txt": "The shop is at https://{{ .Values.ingress.host }}\n",
        "templates/tests/order.yaml": (
            "apiVersion: v1\nkind: Pod\nmetadata:\n  name: order\n  annotations: {helm.sh/hook: test}\n"
        ),
        "crds/order.yaml": _CRD,
        "docs/upgrading.md": "# Upgrading\n\nRead this first.\n",
        "docs/order.png": picture(),
    }
    return package(
        "checkout",
        version,
        appVersion=app,
        description="Takes an order from the basket to the bank",
        home="https://example.com/checkout",
        icon="https://example.com/checkout.svg",
        kubeVersion=">=1.29.0-0",
        keywords=["shop", "payments", "orders"],
        sources=["https://example.com/checkout/source"],
        maintainers=[{"name": "Ada", "email": "ada@example.com", "url": "https://example.com/ada"}],
        dependencies=[
            {"name": "cache", "version": "8.x.x" if newest else "7.x.x", "repository": "https://charts.example.com"},
            {"name": "common", "version": "~2.4", "repository": "file://../common", "condition": "common.enabled"},
        ],
        annotations={name: text.replace("{app}", app) for name, text in _ANNOTATIONS.items()},
        files=files,
    )


def picture(width: int = 320, height: int = 120) -> bytes:
    """A PNG of one colour."""
    rows = (b"\0" + bytes((28, 95, 184)) * width) * height
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in (
            (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
            (b"IDAT", zlib.compress(rows)),
            (b"IEND", b""),
        )
    )
