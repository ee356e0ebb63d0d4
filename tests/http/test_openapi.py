"""The document of the API agrees with the code: what it names is there, and what is there it names.

Beside that every answer of every test here is held to it, see `tests.support.documented`.
"""

import json
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import jsonschema
import pytest
import yaml
from flask import Flask

from chartrepo.http import openapi
from chartrepo.http.errors import STATUS
from chartrepo.http.openapi import METHODS, OF_ROOT, PATH, document, resolve
from chartrepo.version import __version__
from tests.support.documented import ELSEWHERE, UndocumentedError, check, validator
from tests.support.packages import package
from tests.support.repositories import Shop, provenance
from tests.support.site import Site

APP: Final = package()
CATCH_ALL: Final = "/api/<path:rest>"
ANY: Final = re.compile(r"[<{][^>}]*[>}]")
NOT_HERE: Final = {"metrics", "artifacthub", "exchangeToken"}
"""Operations that this site answers with a refusal; their routes are looked at all the same."""
OF_OCI: Final = {405}
"""Statuses that only OCI has."""


def test_nothing_is_written_down_twice() -> None:
    """YAML takes the later one of two keys, and says nothing."""
    twice: list[str] = []

    def look(node: yaml.Node) -> None:
        if isinstance(node, yaml.MappingNode):
            names = [key.value for key, _ in node.value]
            twice.extend(name for name in set(names) if names.count(name) > 1)
            for _, value in node.value:
                look(value)
        elif isinstance(node, yaml.SequenceNode):
            for value in node.value:
                look(value)

    look(yaml.compose((Path(openapi.__file__).parent / "openapi.yaml").read_text(encoding="utf-8")))
    assert twice == []


def test_every_schema_is_used() -> None:
    said = json.dumps(document())
    schemas = document()["components"]["schemas"]
    assert [name for name in schemas if f'schemas/{name}"' not in said] == []


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def example(path: str, operation: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The address and the options of a request, as the document's examples have it."""
    parameters = [resolve(each) for each in operation.get("parameters", ())]
    values = {each["name"]: each.get("example", "") for each in parameters}
    address = re.sub(r"{(\w+)}", lambda found: str(values[found[1]]), path)
    query = {
        each["name"]: values[each["name"]] for each in parameters if each["in"] == "query" and each.get("required")
    }
    options: dict[str, Any] = {}
    if "requestBody" in operation:
        media_type, content = next(iter(operation["requestBody"]["content"].items()))
        options["content_type"] = media_type
        options["data"] = {
            "application/json": json.dumps(content.get("example", {"token": "cr_"})),
            "application/gzip": APP,
            "application/pgp-signature": provenance(APP),
        }[media_type]
    return f"{address}?{urlencode(query)}" if query else address, options


def route_of(path: str, operation: dict[str, Any]) -> str:
    """The template of the route that answers at a path, which is the same for the root repository."""
    if not operation["operationId"].endswith(OF_ROOT):
        return path
    return path.replace("/api/", "/api/{repository}/", 1) if path.startswith("/api/") else f"/{{repository}}{path}"


@pytest.fixture
def guarded(shop: Shop) -> Site:
    """Read by everybody, and written to by the admin."""
    site = Site(shop, admin_password="secret", auth_anonymous_get=True)
    for path in ("/api/charts", "/api/team/app/charts"):
        assert site.by("admin", "secret").send_form(path, chart=APP, prov=provenance(APP)).status_code == 201
        assert site.by("admin", "secret").upload(package(version="0.9.0"), path).status_code == 201
    return site


def test_every_route_is_in_it(guarded: Site) -> None:
    flask = guarded.app._flask
    assert isinstance(flask, Flask)
    named = {(ANY.sub("{}", path), method) for path, method, _ in operations()}
    routes = {
        (ANY.sub("{}", rule.rule), method)
        for rule in flask.url_map.iter_rules()
        if rule.rule != CATCH_ALL and not rule.rule.startswith(ELSEWHERE)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert routes - named == set()


def test_every_operation_in_it_is_there(guarded: Site) -> None:
    admin = guarded.by("admin", "secret")
    # What is deleted comes last; what is made anew, first.
    in_order = sorted(operations(), key=lambda each: (each[1] == "DELETE", each[1] != "POST"))
    for path, method, operation in in_order:
        if method == "DELETE":
            admin.upload(APP, path.replace("{repository}", "team/app").partition("/{name}")[0])
        address, options = example(path, operation)
        if method == "POST" and options.get("data") in (APP, provenance(APP)):
            address += "?force"
        answer = admin.ask(method, address, **options)
        route = guarded.ledger.requests[-1][0]
        assert route == route_of(path, operation)
        assert (answer.status_code < 400) != (operation["operationId"] in NOT_HERE), (
            f"{method} {address}: {answer.text}"
        )


def test_what_takes_a_credential_says_so(guarded: Site, shop: Shop) -> None:
    closed = Site(shop, basic_auth_user="ci", basic_auth_password="secret")
    for path, method, operation in operations():
        address, options = example(path, operation)
        security = operation["security"]
        if operation["operationId"] == "exchangeToken":
            continue
        everybody = guarded.ask(method, address, **options).status_code
        wants_one = {} not in security and security != []
        assert (everybody == 401) == wants_one, f"{method} {address}"
        nobody = closed.ask(method, address, **options).status_code
        assert (nobody == 200) == (security == []), f"{method} {address}: {nobody}"


def test_every_status_that_there_is_is_in_it() -> None:
    named = {int(status) for _, _, operation in operations() for status in operation["responses"]}
    assert {status for status, _ in STATUS.values()} - named == OF_OCI


def test_it_is_openapi_and_its_examples_are_what_they_say() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import schemathesis  # noqa: PLC0415 - importing it warns

    schemathesis.openapi.from_dict(json.loads(json.dumps(document()))).validate()
    for name, schema in document()["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema)
        for each in schema.get("examples", ()):
            validator(f"components/schemas/{name}").validate(each)
    for parameter in document()["components"]["parameters"].values():
        if "example" in parameter:
            jsonschema.validate(parameter["example"], resolve(parameter["schema"]))
    for _, _, operation in operations():
        for parameter in map(resolve, operation.get("parameters", ())):
            if "example" in parameter:
                jsonschema.validate(parameter["example"], resolve(parameter["schema"]))
    ids = [operation["operationId"] for _, _, operation in operations()]
    assert len(set(ids)) == len(ids)


def test_descriptions_say_something_everywhere() -> None:
    for path, method, operation in operations():
        assert operation["summary"], f"{method} {path}"
        assert not operation["summary"].endswith("."), f"{method} {path}"
        for part in (*operation.get("parameters", ()), *operation["responses"].values()):
            assert resolve(part)["description"].endswith("."), f"{method} {path}: {part}"
        assert set(METHODS) >= {method.lower()}


class TestTheDocument:
    def test_everybody_may_see_it_and_keep_it(self, shop: Shop) -> None:
        closed = Site(shop, basic_auth_user="ci", basic_auth_password="secret")
        answer = closed.get(PATH)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json; charset=utf-8")
        assert answer.headers["Cache-Control"] == "public, max-age=300"
        assert answer.json is not None
        assert answer.json["info"]["version"] == __version__
        assert closed.get(PATH, If_None_Match=answer.headers["ETag"]).status_code == 304
        assert len(closed.get(PATH, Accept_Encoding="gzip").data) < len(answer.data) / 4
        assert closed.head(PATH).headers["Content-Length"] == str(len(answer.data))

    def test_it_has_the_address_of_this_server(self, shop: Shop) -> None:
        def servers(site: Site, path: str, **headers: str) -> object:
            answer = site.get(path, **headers)
            assert answer.json is not None
            return answer.json["servers"]

        site = Site(shop, context_path="/hub")
        assert servers(site, f"/hub{PATH}") == [{"url": "http://localhost/hub"}]
        assert servers(site, f"/hub{PATH}", Host="other:8080") == [{"url": "http://other:8080/hub"}]
        assert servers(site, f"/hub{PATH}", Host='"><x>') == [{"url": "http://charts.example.com/hub"}]
        said = Site(shop, external_url="https://charts.example.org")
        assert servers(said, PATH) == [{"url": "https://charts.example.org"}]

    def test_paths_beside_it_are_what_they_were(self, site: Site) -> None:
        assert site.upload(APP, "/api/openapi.json/charts").status_code == 201
        assert site.get("/api/openapi.json/charts/app/1.0.0").status_code == 200
        assert site.ask("POST", PATH).status_code == 404
        assert site.upload(APP, "/api/chartsvc/v1/charts").status_code == 400


def test_everybody_may_read_it_on_a_page_that_has_all_of_it(shop: Shop) -> None:
    page = Site(shop, basic_auth_user="ci", basic_auth_password="secret").get("/ui/api")
    assert page.status_code == 200
    for _, _, operation in operations():
        name = operation["operationId"].removesuffix(OF_ROOT)
        assert page.text.count(f'id="{name}"') == 1


class TestHoldingAnswersToIt:
    def test_what_it_does_not_say_is_noticed(self, site: Site) -> None:
        answer = site.get("/health")
        for route, method in (("/nothing", "GET"), ("/health", "POST"), ("/readyz", "GET"), ("/api/tokens", "GET")):
            with pytest.raises(UndocumentedError):
                check(route, method, answer)
        check("/health", "HEAD", answer)

    def test_a_body_of_another_shape_is_noticed(self, site: Site) -> None:
        answer = site.get("/api/repositories")
        answer.set_data(b'{"repositories": [{"name": 1}], "set_aside_folders": []}')
        with pytest.raises(UndocumentedError):
            check("/api/repositories", "GET", answer)


def test_it_is_in_the_package() -> None:
    settings = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    assert '"http/openapi.yaml"' in settings
