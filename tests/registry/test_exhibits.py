"""What pages show of manifests: sizes of all that they point at, and no more in memory than is shown."""

import json
from typing import Any

import pytest

from chartrepo import layout
from chartrepo.catalog import ManifestRecord
from chartrepo.core import oci
from chartrepo.core.oci import Name
from chartrepo.registry.exhibits import Exhibits
from storage.base import ANYWAY, Unavailable
from storage.memory import MemoryStorage
from tests.support.faults import FaultyStorage

NAME = Name("team", "notes")
LAYER = {"mediaType": "text/plain", "digest": f"sha256:{'1' * 64}", "size": 1000}
CONFIG = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": f"sha256:{'2' * 64}", "size": 2}


@pytest.fixture
def storage() -> FaultyStorage:
    return FaultyStorage(MemoryStorage())


def put(storage: FaultyStorage, document: dict[str, Any]) -> ManifestRecord:
    """Put a manifest there, and give what the catalog knows of it."""
    data = json.dumps({"schemaVersion": 2, **document}).encode()
    digest = oci.digest_of(data)
    storage.put(layout.manifest_key(NAME.path, digest), data, condition=ANYWAY, published=1000)
    kind = document["mediaType"]
    return ManifestRecord(
        NAME.path, str(digest), kind, len(data), None, "x/y", json.dumps(document.get("annotations", {})), None, False
    )


def image(**others: Any) -> dict[str, Any]:
    return {"mediaType": oci.IMAGE_MANIFEST, "config": CONFIG, "layers": [LAYER], **others}


def test_a_manifest_has_the_size_of_all_that_it_points_at(storage: FaultyStorage) -> None:
    record = put(storage, image(annotations={"for": "tests"}))
    found = Exhibits(storage).of(NAME, record)
    assert found.size == record.size + 1002
    assert found.pushed == 1000
    assert [each.size for each in found.parts] == [2, 1000]
    assert found.annotations == {"for": "tests"}
    assert not found.is_index


def test_an_index_has_the_sizes_of_its_manifests_as_far_as_they_are_here(storage: FaultyStorage) -> None:
    child = put(storage, image())
    gone = {"mediaType": oci.IMAGE_MANIFEST, "digest": f"sha256:{'3' * 64}", "size": 7}
    here = {"mediaType": oci.IMAGE_MANIFEST, "digest": child.digest, "size": child.size}
    record = put(storage, {"mediaType": oci.IMAGE_INDEX, "manifests": [here, gone]})
    found = Exhibits(storage).of(NAME, record)
    assert found.size == record.size + child.size + 1002 + 7
    assert found.is_index


def test_it_is_read_once(storage: FaultyStorage) -> None:
    exhibits, record = Exhibits(storage), put(storage, image())
    first = exhibits.of(NAME, record)
    storage.calls.clear()
    assert exhibits.of(NAME, record) is first
    assert storage.calls == []


def test_no_more_is_kept_than_is_shown(storage: FaultyStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chartrepo.registry.exhibits._KEPT", 2)
    annotations = {f"key{number}": "x" * 10_000 for number in range(300)}
    exhibits, record = Exhibits(storage), put(storage, image(annotations=annotations, artifactType="t" * 100_000))
    found = exhibits.of(NAME, record)
    assert len(found.annotations) == 100
    assert {len(value) for value in found.annotations.values()} == {2000}
    assert found.record.annotations == "{}"
    for number in range(3):
        exhibits.of(NAME, put(storage, image(annotations={"n": str(number)})))
    storage.calls.clear()
    exhibits.of(NAME, record)
    assert storage.calls != []


def test_one_that_is_gone_is_shown_as_the_catalog_knows_it(storage: FaultyStorage) -> None:
    record = put(storage, image())
    storage.delete(layout.manifest_key(NAME.path, oci.parse_digest(record.digest)))
    exhibits = Exhibits(storage)
    found = exhibits.of(NAME, record)
    assert (found.size, found.pushed, found.parts) == (record.size, None, ())
    put(storage, image())
    assert exhibits.of(NAME, record).parts != ()


def test_a_storage_that_does_not_answer_is_not_remembered(storage: FaultyStorage) -> None:
    exhibits, record = Exhibits(storage), put(storage, image())
    storage.fail("open", Unavailable("no"))
    with pytest.raises(Unavailable):
        exhibits.of(NAME, record)
    assert exhibits.of(NAME, record).parts != ()
