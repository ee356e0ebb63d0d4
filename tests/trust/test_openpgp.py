"""Keyrings and the signatures of provenance files. `data/make.sh` tells how GnuPG made what is read here."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pysequoia import ArmorKind, Cert, CipherSuite, Profile, Sig, SignatureMode, Tsk, armor, sign
from pysequoia.packet import PacketPile, Tag

from chartrepo.core import provenance
from chartrepo.core.errors import AccessMisconfigured, SignatureRefused
from chartrepo.core.provenance import take_apart
from chartrepo.core.signers import KeyState, SignatureKind, Signer
from chartrepo.trust.openpgp import Keyring, read_certificates

DATA = Path(__file__).parent / "data"
SIGNED_AT = int(datetime(2021, 1, 1, tzinfo=UTC).timestamp())
TEXT = b"name: app\nversion: 1.0.0\n\n...\nfiles:\n  app-1.0.0.tgz: sha256:" + b"0" * 64 + b"\n"


def keyring(*files: str) -> Keyring:
    return Keyring(each for file in files for each in read_certificates((DATA / file).read_bytes(), file))


def message(file: str) -> provenance.ClearSigned:
    return take_apart((DATA / file).read_bytes())


@pytest.fixture(scope="module")
def ada() -> Tsk:
    return Tsk.generate("Ada <ada@example.com>")


def signed_by(key: Tsk, text: bytes = TEXT) -> bytes:
    return sign(key.signer(), text, mode=SignatureMode.CLEAR)


def refusal(ring: Keyring, data: bytes) -> str:
    with pytest.raises(SignatureRefused) as refused:
        ring.verify(take_apart(data))
    return str(refused.value)


class TestSigners:
    @pytest.mark.parametrize(
        ("file", "keys", "name"),
        [
            ("rsa.prov", "rsa.gpg", "rsa <rsa@example.com>"),
            ("rsa.prov", "both.asc", "rsa <rsa@example.com>"),
            ("two.prov", "other.gpg", "other <other@example.com>"),
            ("subkey.prov", "subkey.gpg", "subkey <subkey@example.com>"),
        ],
    )
    def test_what_gnupg_signed_is_known_with_who_and_when(self, file: str, keys: str, name: str) -> None:
        signer = keyring(keys).verify(message(file))

        assert (signer.kind, signer.name, signer.signed_at) == (SignatureKind.OPENPGP, name, SIGNED_AT)

    def test_the_key_is_that_of_the_certificate_also_where_a_part_of_it_signed(self) -> None:
        (certificate,) = read_certificates((DATA / "subkey.gpg").read_bytes(), "subkey.gpg")

        assert keyring("subkey.gpg").verify(message("subkey.prov")).key == certificate.fingerprint

    @pytest.mark.parametrize(
        ("suite", "profile"),
        [
            (CipherSuite.Cv25519, Profile.RFC4880),
            (CipherSuite.Cv25519, Profile.RFC9580),
            (CipherSuite.P256, Profile.RFC4880),
        ],
    )
    def test_modern_keys(self, suite: CipherSuite, profile: Profile) -> None:
        key = Tsk.generate("Grace", cipher_suite=suite, profile=profile)

        assert Keyring([key.extract_certificate()]).verify(take_apart(signed_by(key))).name == "Grace"

    def test_a_number_whose_bits_are_counted_in_whole_bytes_as_by_helm_3(self) -> None:
        whole = (DATA / "rsa.prov").read_bytes()
        (packet,) = PacketPile.from_bytes(message("rsa.prov").signature)
        body, size = packet.body, 256  # of 2048 bits
        assert 8 * (size - 1) < int.from_bytes(body[-size - 2 : -size]) <= 8 * size
        odd = body[: -size - 2] + (8 * size + 8).to_bytes(2) + b"\0" + body[-size:]
        block = armor(b"\xc2\xff" + len(odd).to_bytes(4) + odd, ArmorKind.Signature)
        assert next(iter(PacketPile.from_bytes(block.encode()))).signature_version is None

        data = whole[: whole.index(b"-----BEGIN PGP SIGNATURE")] + block.encode()

        assert keyring("rsa.gpg").verify(take_apart(data)).signed_at == SIGNED_AT
        assert "changed" in refusal(keyring("rsa.gpg"), data.replace(b"name: app", b"name: apq"))

    @pytest.mark.parametrize("cut", range(3, 40, 4))
    def test_a_signature_that_breaks_off(self, cut: int) -> None:
        whole = (DATA / "rsa.prov").read_bytes()
        (packet,) = PacketPile.from_bytes(message("rsa.prov").signature)
        block = armor(b"\xc2\xff" + cut.to_bytes(4) + packet.body[:cut], ArmorKind.Signature).encode()

        assert refusal(keyring("rsa.gpg"), whole[: whole.index(b"-----BEGIN PGP SIGNATURE")] + block)

    def test_line_ends_and_spaces_behind_lines_are_not_signed(self, ada: Tsk) -> None:
        ring = Keyring([ada.extract_certificate()])
        data = signed_by(ada)

        for other in (data.replace(b"\n", b"\r\n"), data.replace(b"version: 1.0.0\n", b"version: 1.0.0 \t\n")):
            assert ring.verify(take_apart(other)).name == "Ada <ada@example.com>"

    def test_lines_that_begin_with_dashes(self, ada: Tsk) -> None:
        text = TEXT.replace(b"version", b"keywords:\n- web\n- -----BEGIN PGP SIGNATURE-----\nversion")
        data = signed_by(ada, text)

        assert b"\n- - web\n" in data
        assert Keyring([ada.extract_certificate()]).verify(take_apart(data)).key
        assert take_apart(data).text == text


class TestWhatIsVerifiedIsWhatIsRead:
    """All of it: the library is given the text that `provenance.read` reads, and no file to find a text in."""

    @pytest.fixture
    def ring(self, ada: Tsk) -> Keyring:
        return Keyring([ada.extract_certificate()])

    @pytest.mark.parametrize("old", [b"0000\n", b"name: app", b"...", b"sha256"])
    def test_a_changed_text_is_refused(self, ring: Keyring, ada: Tsk, old: bytes) -> None:
        data = signed_by(ada)

        assert old in data
        assert "changed" in refusal(ring, data.replace(old, b"x" * len(old), 1))

    def test_text_before_and_after_is_refused(self, ring: Keyring, ada: Tsk) -> None:
        data = signed_by(ada)

        for other in (b"files:\n" + data, data + b"\nfiles:\n", data.rstrip() + b" files:\n"):
            assert "around" in refusal(ring, other)
        assert ring.verify(take_apart(b"\n \n" + data + b"\r\n\n"))

    def test_a_second_message_is_refused(self, ring: Keyring, ada: Tsk) -> None:
        other = Tsk.generate("Mallory")

        assert "around" in refusal(ring, signed_by(ada) + signed_by(other))
        assert "around" in refusal(ring, signed_by(other) + signed_by(ada))

    def test_a_message_inside_the_text_of_another_is_text(self, ring: Keyring, ada: Tsk) -> None:
        inner = signed_by(ada, TEXT.replace(b"0000", b"ffff"))
        outer = signed_by(Tsk.generate("Mallory"), TEXT + inner)

        assert "in no keyring" in refusal(ring, outer)

    def test_a_carriage_return_inside_a_line_is_refused(self, ring: Keyring, ada: Tsk) -> None:
        """For Sequoia it ends a line, and the signature holds; the YAML of it is another one."""
        data = signed_by(ada)
        text = data[data.index(b"name:") : data.index(b"-----BEGIN PGP SIGNATURE")]

        assert "carriage return" in refusal(ring, data.replace(text, text[:-1].replace(b"\n", b"\r") + b"\n"))

    def test_a_header_that_is_not_signed_says_nothing(self, ring: Keyring, ada: Tsk) -> None:
        data = signed_by(ada)

        assert ring.verify(take_apart(data.replace(b"Hash: SHA512", b"Hash: SHA1")))
        with pytest.raises(provenance.ProvenanceRefused, match="only 'Hash'"):
            take_apart(data.replace(b"Hash: SHA512", b"Name: app"))

    def test_a_signature_over_another_kind_of_thing_is_refused(self, ring: Keyring, ada: Tsk) -> None:
        """The key's own signatures, which anybody finds in its certificate."""
        data = signed_by(ada)
        start = data.index(b"-----BEGIN PGP SIGNATURE")
        for packet in PacketPile.from_bytes(bytes(ada.extract_certificate())):
            if packet.tag == Tag.Signature:
                other = armor(bytes(packet), ArmorKind.Signature).encode()
                assert "does not hold" in refusal(ring, data[:start] + other)


class TestKeysInTime:
    @pytest.mark.parametrize(
        ("name", "state"),
        [
            ("rsa", KeyState.VALID),
            ("expired", KeyState.EXPIRED),
            ("revoked2", KeyState.RETIRED),
            ("revoked3", KeyState.RETIRED),
        ],
    )
    def test_a_key_that_was_good_when_it_signed_is_taken_and_shown_as_it_is_today(
        self, name: str, state: KeyState
    ) -> None:
        ring, signed = keyring(f"{name}.gpg"), message(f"{name}.prov")

        assert ring.state(signed, ring.verify(signed).key) is state

    @pytest.mark.parametrize("name", ["expired.late", "revoked2.late", "revoked3.late"])
    def test_a_key_that_had_ended_when_it_signed_is_refused(self, name: str) -> None:
        said = refusal(keyring(f"{name.removesuffix('.late')}.gpg"), (DATA / f"{name}.prov").read_bytes())

        assert ("expired on 2022-01-01" if "expired" in name else "is revoked") in said

    @pytest.mark.parametrize("name", ["revoked0", "revoked0.late", "revoked1", "revoked1.late"])
    def test_a_key_that_was_revoked_as_compromised_or_without_a_reason_is_always_refused(self, name: str) -> None:
        ring = keyring(f"{name.removesuffix('.late')}.gpg")

        assert "is revoked" in refusal(ring, (DATA / f"{name}.prov").read_bytes())

    def test_what_was_accepted_before_is_shown_as_compromised(self) -> None:
        (certificate,) = read_certificates((DATA / "revoked1.gpg").read_bytes(), "revoked1.gpg")

        assert keyring("revoked1.gpg").state(message("revoked1.prov"), certificate.fingerprint) is KeyState.COMPROMISED

    def test_a_part_of_a_key_that_was_revoked_as_compromised(self) -> None:
        key = keyring("subkey.gpg").verify(message("subkey.prov")).key
        ring = keyring("subkey.revoked.gpg")

        assert "does not hold" in refusal(ring, (DATA / "subkey.prov").read_bytes())
        assert ring.state(message("subkey.prov"), key) is KeyState.REFUSED

    @pytest.mark.parametrize("files", [("subkey.gpg", "subkey.revoked.gpg"), ("subkey.revoked.gpg", "subkey.gpg")])
    def test_an_old_copy_of_a_key_does_not_hide_its_revocation(self, files: tuple[str, str]) -> None:
        assert len(keyring(*files)) == 1
        assert "does not hold" in refusal(keyring(*files), (DATA / "subkey.prov").read_bytes())

    def test_a_key_that_is_gone_from_the_keyring(self) -> None:
        key = keyring("rsa.gpg").verify(message("rsa.prov")).key

        assert keyring("other.gpg").state(message("rsa.prov"), key) is KeyState.UNKNOWN

    def test_a_signature_from_the_time_to_come(self) -> None:
        assert "to come" in refusal(keyring("other.gpg"), (DATA / "future.prov").read_bytes())


class TestRefusals:
    def test_a_stranger_is_named_by_the_key(self) -> None:
        (certificate,) = read_certificates((DATA / "rsa.gpg").read_bytes(), "rsa.gpg")

        said = refusal(keyring("other.gpg"), (DATA / "rsa.prov").read_bytes())

        assert certificate.fingerprint in said
        assert "add it to the keyring" in said

    def test_sha1_is_refused(self) -> None:
        assert "SHA1" in refusal(keyring("rsa.gpg"), (DATA / "sha1.prov").read_bytes())

    @pytest.mark.parametrize("block", [b"", b"wsBc\n=qm7L\n", b"\xff\n", b"A" * 1000 + b"\n"])
    def test_what_is_no_signature(self, ada: Tsk, block: bytes) -> None:
        head = signed_by(ada).partition(b"-----BEGIN PGP SIGNATURE-----\n")[0]
        data = head + b"-----BEGIN PGP SIGNATURE-----\n\n" + block + b"-----END PGP SIGNATURE-----\n"

        assert "cannot be read" in refusal(keyring("rsa.gpg"), data)

    def test_too_many_signatures(self, ada: Tsk) -> None:
        data = signed_by(ada)
        start = data.index(b"-----BEGIN PGP SIGNATURE")
        many = armor(bytes(Sig.from_bytes(data[start:])) * 9, ArmorKind.Signature).encode()

        assert "more than 8" in refusal(Keyring([ada.extract_certificate()]), data[:start] + many)


class TestFiles:
    def test_secret_keys_give_their_public_part_alone(self, ada: Tsk) -> None:
        """As GnuPG's old secring.gpg, which `helm package --sign` wants."""
        (certificate,) = read_certificates(bytes(ada), "secring.gpg")

        assert bytes(certificate) == bytes(ada.extract_certificate())

    def test_several_blocks_of_armor_in_one_file(self, ada: Tsk) -> None:
        other = Tsk.generate("Grace").extract_certificate()
        data = f"Ada:\n{ada.extract_certificate()}\nGrace:\n{other}".encode()

        found = read_certificates(data, "keys.asc")

        assert [each.fingerprint for each in found] == [ada.extract_certificate().fingerprint, other.fingerprint]

    @pytest.mark.parametrize(
        ("data", "said"),
        [
            (b"", "holds no key"),
            (b"keys", "cannot be read"),
            ((DATA / "rsa.gpg").read_bytes()[:100], "cannot be read"),
            ((DATA / "rsa.gpg").read_bytes() + b"more", "cannot be read"),
            ((DATA / "both.asc").read_bytes()[:900], "cannot be read"),
            ((DATA / "rsa.prov").read_bytes(), "cannot be read"),
            (b"\0\0\0\x20\1\1\0\2KBXf\0\0\0\0", "is a keybox"),
        ],
    )
    def test_what_is_no_keyring_is_refused_with_the_remedy(self, data: bytes, said: str) -> None:
        with pytest.raises(AccessMisconfigured) as refused:
            read_certificates(data, "keys/team.asc")

        assert str(refused.value).startswith("keys/team.asc ")
        assert said in str(refused.value)
        assert "gpg --export" in str(refused.value)


def test_a_signer_survives_as_json() -> None:
    signer = Signer(SignatureKind.OPENPGP, "Ada", "ab" * 20, 1)

    assert Signer.from_json(signer.as_json()) == signer


def test_the_digest_in_the_fixtures_is_the_one_that_other_tests_use() -> None:
    stated = provenance.parse((DATA / "rsa.prov").read_bytes())

    assert stated.files == {"app-1.0.0.tgz": hashlib.sha256(b"package").hexdigest()}
    assert isinstance(read_certificates((DATA / "rsa.gpg").read_bytes(), "rsa.gpg")[0], Cert)
