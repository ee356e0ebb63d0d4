"""What files below templates/ are for."""

import pytest

from chartrepo.core.template_files import TemplateFile, template_file
from tests.support.endless import must_end


@pytest.mark.parametrize(
    ("path", "text", "found"),
    [
        ("templates/NOTES.txt", "kind: Service", TemplateFile("", "notes")),
        ("templates/_helpers.tpl", '{{ define "x" }}', TemplateFile("", "helpers")),
        ("templates/web.yaml", "kind: Deployment\n---\nkind: 'Service' # x\r\n---\nkind: Service\n",
         TemplateFile("", "", ("Deployment", "Service"))),
        ("templates/job.yaml", 'kind: Job\n  "helm.sh/hook": pre-install,pre-upgrade\n',
         TemplateFile("", "hook", ("Job",), ("pre-install", "pre-upgrade"))),
        ("templates/tests/pod.yaml", "kind: Pod\nhelm.sh/hook: test\n", TemplateFile("", "test", ("Pod",), ("test",))),
        ("templates/odd.yaml", "kind: {{ .Values.kind }}\n  kind: Nested\n", TemplateFile("", "")),
    ],
)  # fmt: skip
def test_its_text_tells(path: str, text: str, found: TemplateFile) -> None:
    assert template_file(path, text) == found._replace(path=path)


@pytest.mark.parametrize("text", ["kind: " * 200_000, "kind:" + " " * 10**6, "helm.sh/hook:" * 80_000, "\n" * 10**5])
def test_no_text_takes_long(text: str) -> None:
    with must_end():
        template_file("templates/a.yaml", text)
