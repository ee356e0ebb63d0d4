"""The real helm sets the value that a path names, pasted into a real shell."""

import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from chartrepo.core.value_paths import Key, path_of
from tests.support.helm import Helm

NAMES: list[tuple[Key, ...]] = [
    ("image", "tag"),
    ("servers", 1, "name"),
    ("grid", 0, 1),
    ("nodeSelector", "kubernetes.io/os"),
    ("odd", "a[0]"),
    ("odd", "a=b,c"),
    ("odd", "two words"),
    ("odd", "back\\slash"),
    ("odd", "$(exit 1)`exit 1`$HOME"),
    ("odd", "it's"),
    ("odd", 'say "so"!'),
    ("odd", 'it\'s "$1".'),
    ("odd", "{a,b}*?~"),
    ("odd", "é🎉"),
    ("odd", "a\\.b", "c"),
]


def _at(values: object, keys: tuple[Key, ...]) -> object:
    for key in keys:
        values = values[key]  # type: ignore[index]
    return values


@pytest.mark.parametrize("keys", NAMES, ids=path_of)
def test_helm_sets_what_the_path_names(helm: Helm, tmp_path: Path, keys: tuple[Key, ...]) -> None:
    chart = tmp_path / "app"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: app\nversion: 1.0.0\n")
    (chart / "values.yaml").write_text("grid: [[1, 2]]\nservers: [{name: a}, {name: b}]\n")
    (chart / "templates" / "all.yaml").write_text("{{ toYaml .Values }}\n")
    line = f"{shlex.quote(str(helm.path))} template {shlex.quote(str(chart))} --set {path_of(keys)}=was-set"
    answer = subprocess.run(
        ["sh", "-c", line], env=helm.environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.returncode == 0, answer.stderr
    assert _at(yaml.safe_load(answer.stdout.partition("\n# Source")[2].partition("\n")[2]), keys) == "was-set"
