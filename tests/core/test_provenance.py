"""What a provenance file says, read as `helm verify` reads it."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chartrepo.core.errors import ProvenanceRefused
from chartrepo.core.provenance import (
    MAX_BYTES,
    Provenance,
    check_names_package,
    names_package,
    package_file,
    parse,
)
from tests.support import signing, tools
from tests.support.helm import Helm

DIGEST = "0123456789abcdef" * 4
OTHER = "f" * 64
SIGNATURE = "-----BEGIN PGP SIGNATURE-----\n\nwsBc\n=qm7L\n-----END PGP SIGNATURE-----"


def clear_signed(text: str, *, headers: str = "Hash: SHA512\n", signature: str = SIGNATURE) -> bytes:
    """A clear-signed message; nobody looks whether the signature is one."""
    escaped = "".join(f"- {line}" if line.startswith("-") else line for line in text.splitlines(keepends=True))
    return f"-----BEGIN PGP SIGNED MESSAGE-----\n{headers}\n{escaped}\n{signature}".encode()


def statement(
    name: str = "app", version: str = "1.0.0", files: str = f"files:\n  app-1.0.0.tgz: sha256:{DIGEST}\n"
) -> str:
    return f"apiVersion: v2\nname: {name}\nversion: {version}\n\n...\n{files}"


class TestReading:
    def test_a_file_that_helm_made(self, data: Path) -> None:
        """It has dashes, block texts that look like markers, and texts that look like numbers."""
        assert parse((data / "app-1.10.tgz.prov").read_bytes()) == Provenance(
            name="app",
            version="1.10",
            files={"app-1.10.tgz": "50335f7a0094ea53a524dc10ded617ad909ee0609278e53cd6607b1f82727b1b"},
        )

    @pytest.mark.parametrize(
        "data",
        [
            clear_signed(statement()),
            clear_signed(statement()).replace(b"\n", b"\r\n"),
            clear_signed(statement().replace("\n", " \t\n")),
            clear_signed(statement(), headers=""),
            clear_signed(statement(), headers="Hash: SHA256, SHA512\nHash:\n"),
            clear_signed(f"keywords:\n- web\n{statement()}"),
            b"From: somebody\n\n" + clear_signed(statement()) + b"\n\nRegards\n",
            clear_signed(statement() + "\n...\n}}} Helm does not look here"),
        ],
        ids=["plain", "CRLF", "trailing spaces", "no header", "headers", "a list", "text around", "a third part"],
    )
    def test_however_it_is_written(self, data: bytes) -> None:
        assert parse(data) == Provenance("app", "1.0.0", {"app-1.0.0.tgz": DIGEST})

    def test_several_files(self) -> None:
        files = f"files:\n  app-1.0.0.tgz: sha256:{DIGEST}\n  b.tgz: 'sha256:{OTHER}'\nimages: {{}}\n"
        assert parse(clear_signed(statement(files=files))).files == {"app-1.0.0.tgz": DIGEST, "b.tgz": OTHER}

    def test_a_value_without_quotes_is_read_as_helm_reads_it(self) -> None:
        read = parse(clear_signed(statement(name="yes", version="1.10")))
        assert (read.name, read.version) == ("true", "1.1")


class TestRefusing:
    @pytest.mark.parametrize(
        ("data", "complaint"),
        [
            (b"", "no line '-----BEGIN PGP SIGNED MESSAGE-----'"),
            (b"\x1f\x8b\x08\x00", "no line '-----BEGIN PGP SIGNED MESSAGE-----'"),
            (statement().encode(), "no line '-----BEGIN PGP SIGNED MESSAGE-----'"),
            (b" " + clear_signed(statement()), "no line '-----BEGIN PGP SIGNED MESSAGE-----'"),
            (
                b"-----BEGIN PGP SIGNED MESSAGE----- \n" + clear_signed(""),
                "no line '-----BEGIN PGP SIGNED MESSAGE-----'",
            ),
            (b"-----BEGIN PGP SIGNED MESSAGE-----", "no signature at its end"),
            (b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512", "no signature at its end"),
            (clear_signed(statement(), headers="Charset: UTF-8\n"), "the header 'Charset: UTF-8'"),
            (clear_signed(statement(), headers="Hash: \u00e9\n"), "the header 'Hash: \u00e9'"),
            (clear_signed(statement(), headers="Hash\n"), "the header 'Hash'"),
            (clear_signed(statement(), signature=""), "no signature at its end"),
            (clear_signed(statement(), signature=SIGNATURE[:50]), "no signature at its end"),
            (
                clear_signed(statement(), signature=SIGNATURE.replace("-----BEGIN", "----BEGIN")),
                "no signature at its end",
            ),
            (clear_signed("name: app\n"), "no line '...' between"),
            (clear_signed(""), "no line '...' between"),
            (clear_signed(statement(name="'open")), "has a metadata that Helm does not read"),
            (clear_signed("- app\n\n...\nfiles: {}\n"), "has a metadata that is no mapping"),
            (clear_signed(statement(files="files: [")), "has a list of digests that Helm does not read"),
            (clear_signed(statement(files="- a")), "has a list of digests that is no mapping"),
            (clear_signed(statement(files="images: {}")), "names no files and their digests"),
            (clear_signed(statement(files="files: {}")), "names no files and their digests"),
            (clear_signed(statement(files="files: [a]")), "names no files and their digests"),
            (clear_signed(statement(files=f"files: {{a: '{DIGEST}'}}")), "gives 'a' no digest of the form 'sha256:'"),
            (clear_signed(statement(files="files: {a: sha256:12}")), "gives 'a' no digest of the form 'sha256:'"),
            (
                clear_signed(statement(files=f"files: {{a: 'sha256:{OTHER.upper()}'}}")),
                "64 hexadecimal digits in lower",
            ),
            (clear_signed(statement(files="files: {a: [b]}")), "gives 'a' no digest of the form 'sha256:'"),
            (clear_signed(statement(name="")), "does not state the chart's name"),
            (clear_signed(statement(name="[app]")), "does not state the chart's name"),
            (clear_signed(statement().replace("version:", "Version:")), "does not state the chart's version"),
            (clear_signed(statement(name="[" * 200 + "]" * 200)), "nested deeper than 100 levels"),
            (clear_signed(statement(name="&a [*a]")), "contains itself"),
            (clear_signed(statement()).replace(b"v2", b"\xff"), "UTF-8"),
        ],
    )
    def test_the_refusal_says_what_is_wrong_and_how_it_is_made(self, data: bytes, complaint: str) -> None:
        with pytest.raises(ProvenanceRefused) as refusal:
            parse(data)
        message = str(refusal.value)
        assert complaint in message
        assert message.startswith("the provenance file ")
        assert message.endswith(": make it with 'helm package --sign'")

    def test_one_byte_too_many(self) -> None:
        data = clear_signed(statement())
        parse(data.ljust(MAX_BYTES))
        with pytest.raises(ProvenanceRefused, match="has 1048577 bytes, and 1048576 are the most"):
            parse(data.ljust(MAX_BYTES + 1))

    @given(st.binary(max_size=200))
    def test_any_bytes_are_read_or_refused(self, noise: bytes) -> None:
        for data in (noise, clear_signed(statement()).replace(b"v2", noise), clear_signed("x").replace(b"x", noise)):
            assert (refusal(data) or "read").isprintable()


def refusal(data: bytes) -> str | None:
    """Why these bytes are refused; None when they are read."""
    try:
        parse(data)
    except ProvenanceRefused as error:
        return str(error)
    return None


class TestOfWhichPackage:
    def test_name_and_digest_must_both_agree(self) -> None:
        read = Provenance("app", "1.0.0", {"app-1.0.0.tgz": DIGEST, "b.tgz": OTHER})
        assert names_package(read, "app-1.0.0.tgz", DIGEST)
        assert not names_package(read, "app-1.0.0.tgz", OTHER)
        assert not names_package(read, "app-1.0.1.tgz", DIGEST)
        check_names_package(read, "app-1.0.0.tgz", DIGEST)

    def test_another_digest_is_told_beside_the_package_s(self) -> None:
        read = Provenance("app", "1.0.0", {"app-1.0.0.tgz": DIGEST})
        with pytest.raises(ProvenanceRefused) as refusal:
            check_names_package(read, "app-1.0.0.tgz", OTHER)
        assert str(refusal.value) == (
            f"the provenance file gives 'app-1.0.0.tgz' the digest sha256:{DIGEST}, "
            f"but the package has sha256:{OTHER}: send the package that was signed, or sign this one"
        )

    def test_other_files_are_named_with_the_package_but_not_all_of_them(self) -> None:
        read = Provenance("app", "1.0.0", {f"{letter}.tgz": DIGEST for letter in "abcdef"})
        with pytest.raises(ProvenanceRefused) as refusal:
            check_names_package(read, "app-1.0.0.tgz", DIGEST)
        assert str(refusal.value) == (
            "the provenance file speaks of 'a.tgz', 'b.tgz', 'c.tgz', not of 'app-1.0.0.tgz': "
            "send the one that was made for this package"
        )

    @pytest.mark.parametrize(("name", "version"), [("app", "1.0.0"), ("App x", "v1+b"), ("a-1", "2.0-rc.1")])
    def test_the_package_it_speaks_of(self, name: str, version: str) -> None:
        file = f"{name}-{version}.tgz"
        assert package_file(Provenance(name, version, {"other.tgz": OTHER, file: DIGEST})) == file

    @pytest.mark.parametrize(
        ("name", "version", "complaint"),
        [
            ("../app", "1.0.0", "states the name '../app', which no package here can have"),
            ("a\\b", "1.0.0", r"states the name 'a\\\\b'"),
            ("a\nb", "1.0.0", r"states the name 'a\\nb'"),
            ("a\x00", "1.0.0", r"states the name 'a\\x00'"),
            (".chartrepo", "1.0.0", "states the name '.chartrepo'"),
            ("a" * 240, "1.0.0", "states the name 'aaaa"),
            ("app", "1.0.0/../x", "states the version '1.0.0/../x' is not a semantic version"),
        ],
    )
    def test_no_file_is_called_what_no_package_can_be_called(self, name: str, version: str, complaint: str) -> None:
        with pytest.raises(ProvenanceRefused, match=complaint):
            package_file(Provenance(name, version, {f"{name}-{version}.tgz": DIGEST}))

    def test_it_must_give_a_digest_of_the_package_it_speaks_of(self) -> None:
        with pytest.raises(ProvenanceRefused, match=r"states 'app' '1\.0\.0', but gives no digest of"):
            package_file(Provenance("app", "1.0.0", {"app-1.0.1.tgz": DIGEST}))


def test_what_helm_signs_names_its_package_and_helm_verifies_it(helm: Helm, keys: Path, tmp_path: Path) -> None:
    chart = tmp_path / "app"
    chart.mkdir()
    (chart / "Chart.yaml").write_text('apiVersion: v2\nname: app\nversion: "1.10+b.1"\nkeywords: [a, "-b"]\n')
    helm.run("package", chart, "-d", tmp_path, "--sign", "--key", "Signer", "--keyring", keys / "secret.gpg")
    package = tmp_path / "app-1.10+b.1.tgz"
    helm.run("verify", package, "--keyring", keys / "public.gpg")
    read = parse(package.with_name(f"{package.name}.prov").read_bytes())
    assert package_file(read) == package.name
    assert names_package(read, package.name, hashlib.sha256(package.read_bytes()).hexdigest())


@pytest.fixture(scope="session")
def data() -> Path:
    return Path(__file__).with_name("data")


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a new key pair in the form of keyring that Helm reads."""
    folder = tmp_path_factory.mktemp("keys")
    try:
        signing.gpg_keys(folder)
    except tools.UnobtainableError as problem:
        tools.give_up(problem)
    return folder
