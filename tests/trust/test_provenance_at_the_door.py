"""What policies ask of provenance, at the door and of what lies in the storage."""

import json
from pathlib import Path

import pytest
from pysequoia import Tsk

from chartrepo.catalog import PackageRecord, Withheld
from chartrepo.core.errors import (
    AccessMisconfigured,
    AlreadyPublished,
    CatalogIncomplete,
    CatalogUnavailable,
    FileNotFound,
    ProvenanceRefused,
    SignatureRefused,
    VersionNotFound,
)
from chartrepo.core.signers import KeyState, SignatureKind, Signer
from chartrepo.trust.accepted import Acceptance, Acceptances
from storage.base import ANYWAY
from tests.support import signing
from tests.support.packages import package
from tests.support.repositories import Shop

APP = package()
OTHER = package(appVersion="2.0")
FILE = "app-1.0.0.tgz"
REQUIRE = 'policies: [{on: ["**"], existing: hide, provenance: require, keyrings: [team.asc]}]'
VERIFY = REQUIRE.replace("require", "verify")


@pytest.fixture(scope="module")
def ada() -> Tsk:
    return signing.key()


@pytest.fixture(scope="module")
def mallory() -> Tsk:
    return signing.key("Mallory")


@pytest.fixture
def shop(tmp_path: Path, ada: Tsk) -> Shop:
    shop = Shop(tmp_path)
    shop.build()
    (tmp_path / "team.asc").write_bytes(signing.public(ada))
    return shop


def signer(shop: Shop) -> Signer | None:
    (record,) = shop.catalog.versions("", "app")
    return Signer.from_json(json.loads(record.signer)) if record.signer is not None else None


def state(shop: Shop) -> KeyState:
    (record,) = shop.catalog.versions("", "app")
    found = signer(shop)
    assert found is not None
    return shop.policing.key_state(record, found)


def hidden(shop: Shop) -> str:
    """Why a package is withheld that no reader sees."""
    assert shop.listed() == []
    assert shop.catalog.versions("", "app") == []
    assert [status.name for status in shop.catalog.repositories()] == []
    with pytest.raises(FileNotFound):
        shop.fetch()
    with pytest.raises(FileNotFound):
        shop.fetch_provenance()
    (aside,) = shop.catalog.set_aside()
    assert isinstance(aside, Withheld)
    return aside.reason


class TestVerify:
    @pytest.fixture(autouse=True)
    def policy(self, shop: Shop) -> None:
        shop.police(VERIFY)

    def test_a_signature_that_holds_is_recorded_with_its_key(self, shop: Shop, ada: Tsk) -> None:
        shop.publish(APP, signing.provenance(ada, APP))

        found = signer(shop)
        assert found is not None
        assert (found.name, found.key) == ("Ada <ada@example.com>", ada.extract_certificate().fingerprint)
        assert state(shop) is KeyState.VALID

    def test_a_wrong_signature_is_refused_and_nothing_is_written(self, shop: Shop, mallory: Tsk) -> None:
        with pytest.raises(SignatureRefused, match=r"in no keyring here.*\(policy 1"):
            shop.publish(APP, signing.provenance(mallory, APP))

        assert list(shop.storage.list()) == []

    def test_a_digest_of_other_bytes_is_refused(self, shop: Shop, ada: Tsk) -> None:
        with pytest.raises(ProvenanceRefused, match="digest"):
            shop.publish(APP, signing.provenance(ada, OTHER))

    def test_a_package_without_provenance_is_taken(self, shop: Shop) -> None:
        shop.publish(APP)

        assert shop.listed() == ["app 1.0.0"]
        assert signer(shop) is None

    def test_provenance_that_comes_later_is_verified_too(self, shop: Shop, ada: Tsk, mallory: Tsk) -> None:
        shop.publish(APP)

        with pytest.raises(SignatureRefused):
            shop.repositories.publish_provenance("", signing.provenance(mallory, APP))
        assert signer(shop) is None
        shop.repositories.publish_provenance("", signing.provenance(ada, APP))
        assert signer(shop) is not None

    def test_provenance_that_comes_first_is_verified_too(self, shop: Shop, ada: Tsk, mallory: Tsk) -> None:
        with pytest.raises(SignatureRefused):
            shop.repositories.publish_provenance("", signing.provenance(mallory, APP))
        shop.repositories.publish_provenance("", signing.provenance(ada, APP))

        shop.publish(APP)

        assert signer(shop) is not None

    def test_a_wrong_signature_that_hands_put_there_counts_as_none(self, shop: Shop, mallory: Tsk) -> None:
        shop.put(FILE, APP)
        shop.put(f"{FILE}.prov", signing.provenance(mallory, APP))

        shop.sync()

        assert shop.fetch() == APP
        with pytest.raises(FileNotFound):
            shop.fetch_provenance()


class TestRequire:
    @pytest.fixture(autouse=True)
    def policy(self, shop: Shop) -> None:
        shop.police(REQUIRE)

    def test_a_signed_package_is_listed_at_once(self, shop: Shop, ada: Tsk) -> None:
        published = shop.publish(APP, signing.provenance(ada, APP))

        assert isinstance(published.record, PackageRecord)
        assert shop.listed() == ["app 1.0.0"]

    def test_an_unsigned_package_waits_unseen_and_says_for_what(self, shop: Shop) -> None:
        published = shop.publish(APP)

        assert isinstance(published.record, Withheld)
        assert published.record.reason == hidden(shop)
        assert "send app-1.0.0.tgz.prov" in hidden(shop)
        assert shop.repositories.open_withheld(published.record).read() == APP

    def test_its_provenance_brings_it_out(self, shop: Shop, ada: Tsk) -> None:
        shop.publish(APP)

        found = shop.repositories.publish_provenance("", signing.provenance(ada, APP))

        assert isinstance(found, PackageRecord)
        assert (shop.listed(), shop.fetch()) == (["app 1.0.0"], APP)
        assert signer(shop) is not None

    def test_a_wrong_signature_does_not(self, shop: Shop, ada: Tsk, mallory: Tsk) -> None:
        shop.publish(APP)

        for wrong in (signing.provenance(mallory, APP), signing.provenance(ada, OTHER)):
            with pytest.raises(ProvenanceRefused):
                shop.repositories.publish_provenance("", wrong)

        assert hidden(shop)

    def test_provenance_may_come_first(self, shop: Shop, ada: Tsk) -> None:
        assert shop.repositories.publish_provenance("", signing.provenance(ada, APP)) is None

        shop.publish(APP)

        assert shop.listed() == ["app 1.0.0"]

    def test_the_same_package_can_be_sent_again_with_its_provenance(self, shop: Shop, ada: Tsk) -> None:
        shop.publish(APP)
        assert isinstance(shop.publish(APP).record, Withheld)

        shop.publish(APP, signing.provenance(ada, APP))

        assert shop.listed() == ["app 1.0.0"]

    def test_another_package_does_not_take_the_place_of_one_that_waits(self, shop: Shop, ada: Tsk) -> None:
        shop.publish(APP)

        with pytest.raises(AlreadyPublished, match="until its provenance is there"):
            shop.publish(OTHER, signing.provenance(ada, OTHER))
        shop.publish(OTHER, signing.provenance(ada, OTHER), force=True)

        assert shop.fetch() == OTHER

    def test_what_readers_see_is_not_replaced_by_what_they_would_not(self, shop: Shop, ada: Tsk) -> None:
        shop.publish(APP, signing.provenance(ada, APP))

        with pytest.raises(ProvenanceRefused, match=r"send the \.prov along, or delete"):
            shop.publish(OTHER, force=True)

        assert shop.fetch() == APP

    def test_one_that_waits_can_be_deleted_by_its_own_name_alone(self, shop: Shop) -> None:
        shop.publish(package("app-1", "2.0"))

        with pytest.raises(VersionNotFound):
            shop.repositories.delete("", "app", "1-2.0")
        shop.repositories.delete("", "app-1", "2.0")

        assert list(shop.storage.list()) == []

    def test_what_a_sync_finds_unsigned_waits_and_comes_out(self, shop: Shop, ada: Tsk, mallory: Tsk) -> None:
        shop.put(FILE, APP)
        shop.sync()
        assert hidden(shop)

        shop.put(f"{FILE}.prov", signing.provenance(mallory, APP))
        shop.sync()
        assert "signed by no key" in hidden(shop)

        shop.put(f"{FILE}.prov", signing.provenance(ada, APP))
        shop.sync()
        assert shop.listed() == ["app 1.0.0"]

    def test_a_sync_that_finds_nothing_new_says_so(self, shop: Shop) -> None:
        shop.publish(APP)

        assert shop.sync().changed == 0

    def test_provenance_that_hands_remove_is_missing_again(self, shop: Shop, ada: Tsk) -> None:
        shop.publish(APP, signing.provenance(ada, APP))
        shop.storage.delete(f"{FILE}.prov", state=shop.storage.stat(f"{FILE}.prov").state)

        shop.sync()

        assert hidden(shop)

    def test_a_catalog_that_is_built_anew_says_the_same(self, shop: Shop, ada: Tsk) -> None:
        web = package("web")
        shop.publish(APP, signing.provenance(ada, APP))
        shop.publish(web)
        before = (shop.listed(), shop.catalog.set_aside(), signer(shop))

        shop.rebuild()

        assert (shop.listed(), shop.catalog.set_aside(), signer(shop)) == before

    def test_while_the_catalog_is_lost_nothing_is_given_that_might_wait(self, shop: Shop) -> None:
        shop.publish(APP)
        shop.catalog.close()
        for file in shop.folder.glob("catalog*"):
            file.unlink()

        with pytest.raises((CatalogIncomplete, CatalogUnavailable)):
            Shop(shop.folder, shop.inner, shop.state, policing=shop.policing).fetch()

    def test_readers_who_ask_for_it_do_not_make_the_server_read_it(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shop.publish(APP)
        monkeypatch.setattr("chartrepo.repository.read_open", None)

        with pytest.raises(FileNotFound):
            shop.fetch()


class TestInTime:
    def test_a_policy_is_for_what_is_published_since(self, shop: Shop, ada: Tsk) -> None:
        shop.publish(APP)
        shop.police(REQUIRE.replace("existing: hide", "since: 2100-01-01"))
        shop.clock.now = 4_102_444_800

        assert isinstance(shop.publish(package("web")).record, Withheld)

        shop.rebuild()
        assert shop.listed() == ["app 1.0.0"]

    def test_provenance_of_what_was_published_before_is_no_concern_of_the_policy(
        self, shop: Shop, mallory: Tsk
    ) -> None:
        shop.publish(APP)
        shop.police(VERIFY.replace("existing: hide", "since: 2100-01-01"))
        shop.clock.now = 4_102_444_800

        shop.repositories.publish_provenance("", signing.provenance(mallory, APP))

        assert shop.fetch_provenance() == shop.storage.open(f"{FILE}.prov").read()
        with pytest.raises(SignatureRefused):
            shop.repositories.publish_provenance("", signing.provenance(mallory, package("web"), "web"))

    @pytest.mark.parametrize("reindexed", [False, True])
    def test_what_was_accepted_stays_when_its_key_turns_out_compromised(
        self, shop: Shop, ada: Tsk, reindexed: bool
    ) -> None:
        shop.police(REQUIRE)
        shop.publish(APP, signing.provenance(ada, APP))

        (shop.folder / "team.asc").write_bytes(signing.compromised(ada))
        shop.police(REQUIRE)
        shop.judge()
        if reindexed:
            shop.rebuild()

        assert shop.listed() == ["app 1.0.0"]
        assert state(shop) is KeyState.COMPROMISED
        with pytest.raises(SignatureRefused, match="revoked"):
            shop.publish(package("web"), signing.provenance(ada, package("web"), "web"))

    def test_what_was_accepted_stays_when_its_key_leaves_the_keyring(self, shop: Shop, ada: Tsk, mallory: Tsk) -> None:
        shop.police(REQUIRE)
        shop.publish(APP, signing.provenance(ada, APP))

        (shop.folder / "team.asc").write_bytes(signing.public(mallory))
        shop.police(REQUIRE)
        shop.rebuild()

        assert shop.listed() == ["app 1.0.0"]
        assert state(shop) is KeyState.UNKNOWN

    def test_a_deleted_version_does_not_come_back_by_what_was_accepted(self, shop: Shop, ada: Tsk) -> None:
        shop.police(REQUIRE)
        shop.publish(APP, signing.provenance(ada, APP))
        shop.repositories.delete("", "app", "1.0.0")
        (shop.folder / "team.asc").write_bytes(signing.compromised(ada))
        shop.police(REQUIRE)

        shop.put(FILE, APP)
        shop.put(f"{FILE}.prov", signing.provenance(ada, APP))
        shop.sync()

        assert hidden(shop)

    def test_what_was_accepted_is_so_in_its_place_alone(self, shop: Shop, ada: Tsk) -> None:
        shop.police(REQUIRE)
        signature = signing.provenance(ada, APP)
        shop.publish(APP, signature)
        (shop.folder / "team.asc").write_bytes(signing.compromised(ada))
        shop.police(REQUIRE)

        shop.put(f"other/{FILE}", APP)
        shop.put(f"other/{FILE}.prov", signature)
        shop.sync()

        assert shop.listed("other") == []

    def test_a_key_that_joins_the_keyring_brings_out_what_it_signed(self, shop: Shop, ada: Tsk, mallory: Tsk) -> None:
        shop.police(REQUIRE)
        shop.put(FILE, APP)
        shop.put(f"{FILE}.prov", signing.provenance(mallory, APP))
        shop.sync()
        assert hidden(shop)

        (shop.folder / "team.asc").write_bytes(signing.public(ada, mallory))
        shop.police(REQUIRE)
        shop.judge()

        assert shop.listed() == ["app 1.0.0"]

    def test_a_policy_that_goes_leaves_no_trace(self, shop: Shop, ada: Tsk) -> None:
        shop.police(REQUIRE)
        shop.publish(APP, signing.provenance(ada, APP))
        shop.publish(package("web"))

        shop.police("policies: []")
        shop.judge()

        assert shop.listed() == ["app 1.0.0", "web 1.0.0"]

    def test_a_repository_that_is_called_as_a_package_keeps_its_notes(self, shop: Shop, ada: Tsk) -> None:
        shop.police(REQUIRE)
        shop.publish(APP, signing.provenance(ada, APP))
        shop.publish(APP, signing.provenance(ada, APP), repository=FILE)

        shop.repositories.delete("", "app", "1.0.0")

        assert [note.key.startswith(f"accepted/{FILE}/{FILE}/") for note in shop.state.list("accepted/")] == [True]

    def test_who_only_tries_a_policy_notes_nothing(self, shop: Shop, ada: Tsk) -> None:
        found = Acceptances(shop.state, only_look=True)
        signer = Signer(SignatureKind.OPENPGP, "Ada", ada.extract_certificate().fingerprint, 1)

        found.write("", FILE, "0" * 64, "1" * 64, Acceptance(signer, ("team.asc",)))

        assert list(shop.state.list("accepted/")) == []

    def test_a_note_that_cannot_be_read_is_none(self, shop: Shop, ada: Tsk) -> None:
        shop.police(REQUIRE)
        shop.publish(APP, signing.provenance(ada, APP))
        (note,) = shop.state.list("accepted/")
        shop.state.put(note.key, b"[]", condition=ANYWAY)
        repository, file, (package_digest, _, evidence) = "", FILE, note.key.rpartition("/")[2].partition("-")

        assert Acceptances(shop.state).find(repository, file, package_digest, evidence) is None


class TestSeveralPolicies:
    BOTH = """
policies:
  - {on: ["**"], existing: hide, provenance: require, keyrings: [team.asc]}
  - {on: ["app"], existing: hide, provenance: %s, keyrings: [other.asc]}
"""

    @pytest.mark.parametrize("mode", ["require", "verify"])
    def test_each_has_to_be_content_with_its_own_keys(self, shop: Shop, ada: Tsk, mallory: Tsk, mode: str) -> None:
        (shop.folder / "other.asc").write_bytes(signing.public(mallory))
        shop.police(self.BOTH % mode)

        with pytest.raises(SignatureRefused, match="policy 2"):
            shop.publish(APP, signing.provenance(ada, APP))
        (shop.folder / "other.asc").write_bytes(signing.public(mallory, ada))
        shop.police(self.BOTH % mode)
        shop.publish(APP, signing.provenance(ada, APP))

        assert shop.listed() == ["app 1.0.0"]

    def test_the_strictest_counts(self, shop: Shop) -> None:
        (shop.folder / "other.asc").write_bytes((shop.folder / "team.asc").read_bytes())
        shop.police(self.BOTH % "verify")

        assert isinstance(shop.publish(APP).record, Withheld)


class TestTheFile:
    @pytest.mark.parametrize(
        ("policy", "said"),
        [
            ("provenance: always, keyrings: [team.asc]", "'always' is not known: write ignore or verify or require"),
            ("provenance: require", "needs keys to verify it with"),
            ("keyrings: [team.asc]", "keyrings is for provenance, which is missing"),
            ("provenance: verify, keyrings: []", "keyrings: is empty"),
            ("provenance: verify, keyrings: [gone.asc]", "gone.asc is not there"),
            ("provenance: verify, keyrings: [bad.asc]", "bad.asc cannot be read as keys of OpenPGP"),
            ("provenance: verify, cosign_keys: [bad.asc]", "bad.asc holds no public key"),
        ],
    )
    def test_what_is_wrong_is_told_with_the_remedy(self, shop: Shop, policy: str, said: str) -> None:
        (shop.folder / "bad.asc").write_bytes(b"nothing")

        with pytest.raises(AccessMisconfigured) as refused:
            shop.police(f'policies: [{{on: ["**"], existing: hide, {policy}}}]')

        assert said in str(refused.value)

    def test_a_keyring_that_spoils_leaves_the_old_one_in_force_and_shows(self, shop: Shop, ada: Tsk) -> None:
        shop.police(REQUIRE)
        (shop.folder / "team.asc").write_bytes(b"spoilt")

        with pytest.raises(AccessMisconfigured, match=r"team\.asc cannot be read as keys"):
            shop.policing.check()

        assert shop.policing.files() == {"policies": False}
        shop.publish(APP, signing.provenance(ada, APP))
        assert shop.listed() == ["app 1.0.0"]


class TestACheck:
    """What a policy asks of provenance is told of what is served all the same, before it is in force too."""

    @staticmethod
    def broken(shop: Shop) -> tuple[str, ...]:
        (record,) = shop.catalog.versions("", "app")
        return shop.policing.broken(record)

    def test_tells_what_has_none(self, shop: Shop) -> None:
        shop.publish(APP)
        shop.police(REQUIRE)
        (told,) = self.broken(shop)
        assert told.startswith(f"its provenance is not there: send {FILE}.prov, signed by a key that is trusted here")

    def test_tells_what_a_stranger_signed(self, shop: Shop, mallory: Tsk) -> None:
        shop.publish(APP, signing.provenance(mallory, APP))
        shop.police(VERIFY)
        (told,) = self.broken(shop)
        assert told.startswith(f"{FILE}.prov is signed by no key that is trusted here")

    def test_is_content_with_what_is_signed(self, shop: Shop, ada: Tsk) -> None:
        shop.publish(APP, signing.provenance(ada, APP))
        shop.police(REQUIRE)
        assert self.broken(shop) == ()
