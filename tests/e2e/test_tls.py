"""HTTPS and mutual TLS: real helms and real servers, certificates that are renewed, and starts that cannot work."""

import datetime as dt
import http.client
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import bcrypt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.support.certificates import Authority, own_address
from tests.support.helm import Helm, HelmError
from tests.support.http import get
from tests.support.packages import package
from tests.support.processes import eventually
from tests.support.server import Server, command, environment, running

PASSWORD: Final = "s3cret"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module", params=["gunicorn", "granian"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def gated(kind: str, made: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serves team/web to clients with a certificate; ada may write."""
    folder = tmp_path_factory.mktemp("gated")
    (folder / "data" / "team").mkdir(parents=True)
    (folder / "data" / "team" / "web-1.0.0.tgz").write_bytes(package("web"))
    (folder / "users").write_text(f"ada:{bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(5)).decode()}\n")
    # Beside the loopback, for which Helm 3 believes that a registry speaks plain HTTP, whatever it is told.
    own = ["--host", "0.0.0.0", "--admin-host", "127.0.0.1", "--htpasswd", folder / "users"]
    with running(folder, "--server", kind, *own, tls=made.gated) as server:
        yield server


def ask(server: Server, context: ssl.SSLContext, path: str) -> tuple[int, http.client.HTTPMessage, bytes]:
    client = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=30, context=context)
    with closing(client):
        client.request("GET", path)
        with client.getresponse() as response:
            return response.status, response.headers, response.read()


def serial(server: Server, made: Authority) -> str:
    """The number of the certificate that the server shows now."""
    client = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=30, context=made.context(known=True))
    with closing(client):
        client.connect()
        assert isinstance(client.sock, ssl.SSLSocket)
        seen = client.sock.getpeercert()
    assert seen is not None
    return str(seen["serialNumber"])


def usable(server: Server) -> bool:
    """Whether the metrics say that the files can be used as they are."""
    return 'chartrepo_access_file_ok{setting="tls_cert"} 1.0' in get(f"{server.admin}/metrics").text


class TestAGate:
    def test_helm_gets_in_with_a_certificate(self, gated: Server, made: Authority, helm: Helm, tmp_path: Path) -> None:
        own = ["--ca-file", made.ca, "--cert-file", made.client.cert, "--key-file", made.client.key]
        helm.run("repo", "add", "team", f"{gated.url}/team", *own)
        helm.run("pull", "team/web", "--version", "1.0.0", "-d", tmp_path)
        assert (tmp_path / "web-1.0.0.tgz").read_bytes() == package("web")

        (pulled := tmp_path / "pulled").mkdir()
        version = f"2.0.{helm.path.stat().st_ino}"  # each helm its own
        file = tmp_path / f"web-{version}.tgz"
        file.write_bytes(package("web", version))
        host = f"{own_address()}:{gated.port}"
        helm.run("registry", "login", host, "--username", "ada", "--password", PASSWORD, *own)
        helm.run("push", file, f"oci://{host}/team", *own)
        helm.run("pull", f"oci://{host}/team/web", "--version", version, "-d", pulled, *own)
        assert (pulled / file.name).read_bytes() == package("web", version)

    def test_helm_without_one_is_refused(self, gated: Server, made: Authority, helm: Helm) -> None:
        with pytest.raises(HelmError, match=r"tls|certificate|reset|broken pipe"):
            helm.run("repo", "add", "team", f"{gated.url}/team", "--ca-file", made.ca)

    def test_one_of_another_ca_is_refused(self, gated: Server, made: Authority, tmp_path: Path) -> None:
        other = Authority(tmp_path)
        stranger = made.context()
        stranger.load_cert_chain(other.client.cert, other.client.key)
        for context in (stranger, made.context()):
            with pytest.raises(OSError, match=r"alert|reset|EOF|Broken pipe"):
                ask(gated, context, "/livez")

    def test_a_certificate_is_a_gate_and_no_identity(self, gated: Server, made: Authority) -> None:
        known = made.context(known=True)
        assert ask(gated, known, "/team/index.yaml")[0] == 200
        assert ask(gated, known, "/api/tokens")[0] == 401

    def test_clients_of_registries_are_sent_to_https(self, gated: Server, made: Authority) -> None:
        status, headers, _ = ask(gated, made.context(known=True), "/v2/")
        assert status == 401
        assert f'realm="https://127.0.0.1:{gated.port}/v2/token"' in headers["WWW-Authenticate"]

    def test_the_admin_listener_is_plain_and_knows_whether_workers_answer(self, gated: Server) -> None:
        assert gated.admin.startswith("http:")
        assert get(f"{gated.admin}/livez").status == 200
        assert usable(gated)

    def test_old_tls_is_refused(self, gated: Server, made: Authority) -> None:
        old = made.context(known=True)
        old.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="TLSv1"):
            old.minimum_version = ssl.TLSVersion.TLSv1
        with pytest.warns(DeprecationWarning, match="TLSv1"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(ssl.SSLError, match="ALERT"):
            ask(gated, old, "/livez")

    def test_plain_http_gets_no_answer_of_the_server(self, gated: Server) -> None:
        with socket.create_connection(("127.0.0.1", gated.port), timeout=30) as client:
            client.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            client.shutdown(socket.SHUT_WR)
            assert b" 200 " not in b"".join(iter(lambda: client.recv(4096), b""))


def test_a_renewed_certificate_is_served_without_a_start(kind: str, tmp_path: Path) -> None:
    own = Authority(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "web-1.0.0.tgz").write_bytes(package("web"))
    with running(tmp_path, "--server", kind, "--workers", "2", tls=own.serving) as server:
        before, workers = serial(server, own), set(server.workers)
        renewed = own.issue()
        own.server.cert.write_bytes(renewed[0])
        eventually(lambda: not usable(server), what="the half of a pair is seen")
        assert serial(server, own) == before
        own.server.write(renewed)
        if kind == "granian":  # while it replaces its workers it may cut a connection that is being opened
            eventually(
                lambda: len(server.workers) == 2 and workers.isdisjoint(server.workers),
                what="there are two new workers",
            )
        for _ in range(20):  # of either worker
            eventually(lambda: serial(server, own) != before, what="the new one is served")
        eventually(lambda: usable(server), what="they fit again")
        assert b"web-1.0.0.tgz" in ask(server, own.context(), "/index.yaml")[2]
        assert "does not go with the first certificate" in server.log
        assert len(server.workers) == 2


def test_a_certificate_that_granian_does_not_take_leaves_its_workers_as_they_are(tmp_path: Path) -> None:
    own = Authority(tmp_path)
    with running(tmp_path, "--server", "granian", "--workers", "1", tls=own.serving) as server:
        before, workers = serial(server, own), server.workers
        own.server.write(unusual())
        eventually(lambda: "granian cannot use the certificate" in server.log, what="it is refused")
        assert serial(server, own) == before
        assert server.workers == workers


def unusual() -> tuple[bytes, bytes]:
    """A certificate for a key on P-521, which OpenSSL takes and granian does not, and the key."""
    key = ec.generate_private_key(ec.SECP521R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(1))
        .not_valid_after(now + dt.timedelta(1))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(Encoding.PEM), key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def test_a_start_that_cannot_work_is_one_line(tmp_path: Path) -> None:
    made = Authority(tmp_path)
    done = subprocess.run(
        command("serve", "--tls-cert", made.server.cert, "--tls-key", made.client.key),
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert "client.key does not go with the first certificate in" in line
