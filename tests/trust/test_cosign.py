"""Signatures that cosign makes of manifests."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from chartrepo.core.errors import AccessMisconfigured, SignatureRefused
from chartrepo.core.oci import parse_digest
from chartrepo.core.signers import SignatureKind, Signer
from chartrepo.trust.cosign import MAX_BYTES, CosignKeys, read_public_keys
from tests.support import cosign

DATA = Path(__file__).parent / "data"
DIGEST = "sha256:" + "ab" * 32
OTHER = "sha256:" + "cd" * 32
MANIFEST = parse_digest(DIGEST)


@pytest.fixture(scope="module")
def key() -> ec.EllipticCurvePrivateKey:
    return cosign.new_key()


@pytest.fixture
def keys(key: cosign.PrivateKey) -> CosignKeys:
    return CosignKeys(read_public_keys(cosign.public(key), "cosign.pub"))


def test_every_kind_of_key_that_is_taken_checks_both_forms() -> None:
    for key in (
        cosign.new_key(),
        ed25519.Ed25519PrivateKey.generate(),
        rsa.generate_private_key(public_exponent=65537, key_size=2048),
    ):
        (public,) = read_public_keys(cosign.public(key), "keys/ci.pub")
        keys, document = CosignKeys([public]), cosign.claim(DIGEST)
        signer = Signer(SignatureKind.COSIGN, "keys/ci.pub", public.fingerprint)

        assert keys.verify_claim(document, cosign.sign(key, document), MANIFEST) == signer
        assert keys.verify_bundle(cosign.bundle(key, DIGEST), MANIFEST) == signer
        assert public.fingerprint in keys


class TestByTheRealOne:
    """What cosign 3.1.3 made of a manifest, by `cosign sign --key`, in its new form and with the older one."""

    CHART = parse_digest("sha256:a851a9b246f5cad4afc92e5f04794016390fda19fb7c2233708e590952860e40")
    SIGNATURE = "MEYCIQDwFYxG8zWhBiwG9j/GGWNu8dD6mhBwHWpoY+Z9Q8UhKgIhAJDLs8pVdWTyyKR7bg2Df2vCAH8JuRgJlRbN1b6rHYum"

    @pytest.fixture
    def keys(self) -> CosignKeys:
        return CosignKeys(read_public_keys((DATA / "cosign.pub").read_bytes(), "cosign.pub"))

    def test_a_bundle(self, keys: CosignKeys) -> None:
        bundle = (DATA / "cosign.bundle.json").read_bytes()

        assert keys.verify_bundle(bundle, self.CHART).name == "cosign.pub"
        with pytest.raises(SignatureRefused):
            keys.verify_bundle(bundle, MANIFEST)

    def test_a_claim(self, keys: CosignKeys) -> None:
        document = (DATA / "cosign.claim.json").read_bytes()

        assert keys.verify_claim(document, self.SIGNATURE, self.CHART).name == "cosign.pub"
        with pytest.raises(SignatureRefused):
            keys.verify_claim(document, self.SIGNATURE, MANIFEST)


class TestClaims:
    def refusal(self, keys: CosignKeys, document: bytes, signature: str) -> str:
        with pytest.raises(SignatureRefused) as refused:
            keys.verify_claim(document, signature, MANIFEST)
        return str(refused.value)

    def test_another_manifest(self, keys: CosignKeys, key: cosign.PrivateKey) -> None:
        document = cosign.claim(OTHER)

        assert OTHER in self.refusal(keys, document, cosign.sign(key, document))

    def test_another_key(self, keys: CosignKeys) -> None:
        document = cosign.claim(DIGEST)

        assert "none of the keys" in self.refusal(keys, document, cosign.sign(cosign.new_key(), document))

    def test_a_changed_document(self, keys: CosignKeys, key: cosign.PrivateKey) -> None:
        signature = cosign.sign(key, cosign.claim(OTHER))

        assert "none of the keys" in self.refusal(keys, cosign.claim(DIGEST), signature)

    @pytest.mark.parametrize("signature", ["", "AAAA", "not base64", "é", "A" * 10_000])
    def test_what_is_no_signature(self, keys: CosignKeys, signature: str) -> None:
        assert "none of the keys" in self.refusal(keys, cosign.claim(DIGEST), signature)

    @pytest.mark.parametrize(
        "document",
        [
            b"",
            b"[]",
            b"\xff",
            b"[" * 100_000,
            b'{"critical": []}',
            b'{"critical": {"type": "cosign container image signature"}}',
            cosign.claim(DIGEST, type="atomic container signature"),
            cosign.claim(DIGEST) + b" " * MAX_BYTES,
        ],
        ids=range(8),
    )
    def test_what_the_key_signed_and_is_no_claim(
        self, keys: CosignKeys, key: cosign.PrivateKey, document: bytes
    ) -> None:
        assert self.refusal(keys, document, cosign.sign(key, document)).startswith("the signature of cosign ")


class TestBundles:
    def refusal(self, keys: CosignKeys, bundle: bytes) -> str:
        with pytest.raises(SignatureRefused) as refused:
            keys.verify_bundle(bundle, MANIFEST)
        return str(refused.value)

    def test_another_manifest(self, keys: CosignKeys, key: cosign.PrivateKey) -> None:
        assert "cd" * 32 in self.refusal(keys, cosign.bundle(key, OTHER))

    def test_another_key(self, keys: CosignKeys) -> None:
        assert "none of the keys" in self.refusal(keys, cosign.bundle(cosign.new_key(), DIGEST))

    def test_another_statement_by_the_same_key_says_nothing_of_whose_it_is(
        self, keys: CosignKeys, key: cosign.PrivateKey
    ) -> None:
        scanned = cosign.bundle(key, DIGEST, predicateType="https://cosign.sigstore.dev/attestation/vuln/v1")

        assert "something else" in self.refusal(keys, scanned)

    def test_something_else_that_the_key_signed(self, keys: CosignKeys, key: cosign.PrivateKey) -> None:
        assert "no in-toto statement" in self.refusal(keys, cosign.bundle(key, DIGEST, kind="text/plain"))

    def test_the_type_is_part_of_what_is_signed(self, keys: CosignKeys, key: cosign.PrivateKey) -> None:
        made = json.loads(cosign.bundle(key, DIGEST, kind="text/plain"))
        made["dsseEnvelope"]["payloadType"] = cosign.STATEMENT

        assert "none of the keys" in self.refusal(keys, json.dumps(made).encode())

    @pytest.mark.parametrize("subject", [None, [], {}, ["x"], [{"digest": "x"}], [{"digest": {"sha512": "ab" * 32}}]])
    def test_a_statement_about_nothing(self, keys: CosignKeys, key: cosign.PrivateKey, subject: Any) -> None:
        assert self.refusal(keys, cosign.bundle(key, DIGEST, subject=subject))

    @pytest.mark.parametrize("field", ["payload", "payloadType", "signatures"])
    @pytest.mark.parametrize("value", [None, "", [], {}, 1, [None], "not base64"])
    def test_a_broken_envelope(self, keys: CosignKeys, key: cosign.PrivateKey, field: str, value: Any) -> None:
        made = json.loads(cosign.bundle(key, DIGEST))
        made["dsseEnvelope"][field] = value

        assert self.refusal(keys, json.dumps(made).encode())

    @pytest.mark.parametrize("bundle", [b"", b"{}", b"[]", b'{"messageSignature": {}}', b'{"dsseEnvelope": 1}'])
    def test_what_is_no_bundle(self, keys: CosignKeys, bundle: bytes) -> None:
        assert self.refusal(keys, bundle)


class TestFiles:
    def test_several_keys_in_one_file(self, key: cosign.PrivateKey) -> None:
        other = ed25519.Ed25519PrivateKey.generate()

        assert len(read_public_keys(cosign.public(key) + b"# and\n" + cosign.public(other), "keys.pub")) == 2

    def test_a_keyring_is_told_where_it_belongs(self) -> None:
        with pytest.raises(
            AccessMisconfigured, match="holds keys of OpenPGP, and not of cosign: name it under keyrings"
        ):
            read_public_keys(
                b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n-----END PGP PUBLIC KEY BLOCK-----\n", "team.asc"
            )

    @pytest.mark.parametrize("other", ["weak", "curve", "secret", "garbage", "nothing"])
    def test_what_is_not_taken_is_refused_with_the_remedy(self, key: cosign.PrivateKey, other: str) -> None:
        data = {
            "weak": lambda: cosign.public(rsa.generate_private_key(public_exponent=65537, key_size=1024)),
            "curve": lambda: cosign.public(ec.generate_private_key(ec.SECP384R1())),
            "secret": lambda: key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            "garbage": lambda: b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
            "nothing": lambda: b"",
        }[other]()

        with pytest.raises(AccessMisconfigured, match=r"^keys/ci\.pub holds .*cosign public-key"):
            read_public_keys(data, "keys/ci.pub")
