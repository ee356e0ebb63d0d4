"""What strangers' addresses can reach: the public internet, for a short time, and nothing else."""

import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chartrepo.icons import PublicWeb, public_web
from chartrepo.icons.public_web import Endpoint, FetchError, is_public, look_up
from tests.icons import internet as internets
from tests.icons.internet import Internet, answer
from tests.support.certificates import Authority
from tests.support.endless import must_end

ICON = "http://icons.example/icon.png"
HERE, THERE = "203.0.113.1", "203.0.113.2"
LIMIT = 100_000


@pytest.fixture
def internet() -> Iterator[Internet]:
    with internets.running() as found:
        found.names["icons.example"] = [[HERE]]
        found.pages[f"{HERE} /icon.png"] = answer(b"a picture")
        yield found


def moved(to: str, status: str = "302 Found") -> bytes:
    return answer(b"", status, Location=to)


class TestAddresses:
    @pytest.mark.parametrize(
        "address",
        [
            "127.0.0.1",
            "127.1.2.3",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "100.100.100.200",
            "192.0.0.8",
            "198.18.0.1",
            "192.0.2.1",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::a9fe:a9fe",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "2001:0:a9fe:a9fe::1",
            "fe80::1",
            "fe80::1%lo",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "2001:db8::1",
            "",
            "icons.example",
            "2130706433",
            "0x7f000001",
            "017700000001",
        ],
    )
    def test_that_are_not_public(self, address: str) -> None:
        assert not is_public(address)

    @pytest.mark.parametrize(
        "address", ["1.1.1.1", "140.82.121.4", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
    )
    def test_that_are(self, address: str) -> None:
        assert is_public(address)

    @pytest.mark.parametrize(
        "url",
        [
            "http://localhost/",
            "http://localhost./",
            "http://LOCALHOST/",
            "http://127.0.0.1/",
            "http://127.0.0.1./",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://0/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:a9fe:a9fe]/",
            "http://169.254.169.254/latest/meta-data/",
            "http://2852039166/latest/meta-data/",
            "http://①②⑦.⓪.⓪.①/",
            "http://ⓛocalhost/",
            "http://icons.example@127.0.0.1/",
            "http://icons.example:80@127.0.0.1/",
            "http://user:secret@icons.example/",
            "http://127.0.0.1\\@icons.example/",
            "http://127.0.0.1#@icons.example/",
            "http://127.0.0.1%23.icons.example/",
            "http://icons.example:22/",
            "http://icons.example:443/",
            "https://icons.example:80/",
            "http://icons.example:99999/",
            "file:///etc/passwd",
            "gopher://127.0.0.1/",
            "ftp://icons.example/",
            "//icons.example/",
            "http:///",
            "http://a..b/",
            "http://" + "a" * 300 + "/",
            "http://a b/",
            "http://icons.example\r\nHost: x/",
        ],
    )
    def test_no_trick_reaches_this_machine(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        connected: list[object] = []
        monkeypatch.setattr(socket.socket, "connect", lambda _, address: connected.append(address))

        def system(host: str, port: int) -> list[Endpoint]:
            assert not host.startswith("icons.example"), "no such name would be asked for"
            return look_up(host, port)

        with pytest.raises(FetchError):
            PublicWeb(look_up=system, seconds=2).get(url, limit=LIMIT)
        assert connected == []


class TestFetching:
    def test_what_is_there(self, internet: Internet) -> None:
        assert internet.web().get(ICON, limit=LIMIT) == b"a picture"
        assert internet.asked == [f"{HERE} /icon.png"]
        head = internet.heads[0].lower()
        assert head.startswith("get /icon.png http/1.1\r\nhost: icons.example\r\n")
        assert "cookie" not in head
        assert "authorization" not in head

    def test_odd_paths_are_sent_as_paths(self, internet: Internet) -> None:
        internet.pages[f"{HERE} /a%20b/%C3%A9?q=%22x%22"] = answer(b"odd")
        assert internet.web().get('http://icons.example/a b/é?q="x"#top', limit=LIMIT) == b"odd"

    def test_without_a_length_and_in_chunks(self, internet: Internet) -> None:
        internet.pages[f"{HERE} /icon.png"] = b"HTTP/1.0 200 OK\r\n\r\nuntil the end"
        assert internet.web().get(ICON, limit=LIMIT) == b"until the end"
        internet.pages[f"{HERE} /icon.png"] = (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        )
        assert internet.web().get(ICON, limit=LIMIT) == b"abc"

    def test_another_address_where_one_is_out(self, internet: Internet) -> None:
        web = internet.web()
        connect, tried = web._connect_to, list[str]()

        def out(endpoint: Endpoint, *arguments: object) -> socket.socket:
            tried.append(endpoint.address)
            if endpoint.address == THERE:
                raise ConnectionRefusedError
            return connect(endpoint, *arguments)  # type: ignore[arg-type]

        web._connect_to = out  # type: ignore[method-assign,assignment]
        internet.names["icons.example"] = [[THERE, HERE]]
        assert web.get(ICON, limit=LIMIT) == b"a picture"
        assert tried == [THERE, HERE]

    def test_encrypted_and_by_the_name_in_the_certificate(self, tmp_path: Path) -> None:
        authority = Authority(tmp_path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority.server.cert, authority.server.key)
        trusting = ssl.create_default_context(cafile=str(authority.ca))
        with internets.running(context) as internet:
            internet.names |= {"localhost": [[HERE]], "icons.example": [[HERE]]}
            internet.pages[f"{HERE} /icon.png"] = answer(b"a picture")
            assert internet.web(tls=trusting).get("https://localhost/icon.png", limit=LIMIT) == b"a picture"
            for url, tls in (("https://icons.example/icon.png", trusting), ("https://localhost/icon.png", None)):
                with pytest.raises(FetchError, match="certificate verify failed"):
                    internet.web(tls=tls).get(url, limit=LIMIT)


class TestGuards:
    def test_a_name_of_which_one_address_is_private_is_not_asked(self, internet: Internet) -> None:
        internet.names["icons.example"] = [[HERE, "10.0.0.1"]]
        with pytest.raises(FetchError, match="public internet"):
            internet.web().get(ICON, limit=LIMIT)
        assert internet.asked == []

    def test_a_name_that_changes_is_asked_where_it_was_checked(self, internet: Internet) -> None:
        internet.names["icons.example"] = [[HERE], ["127.0.0.1"]]
        assert internet.web().get(ICON, limit=LIMIT) == b"a picture"
        assert (internet.looked_up, internet.asked) == (["icons.example"], [f"{HERE} /icon.png"])
        with pytest.raises(FetchError, match="public internet"):
            internet.web().get(ICON, limit=LIMIT)

    def test_redirects_are_followed_and_checked_anew(self, internet: Internet) -> None:
        internet.names |= {
            "other.example": [[THERE]],
            "inside.example": [["10.0.0.1"]],
            "meta.example": [["169.254.169.254"]],
        }
        internet.pages[f"{THERE} /b"] = answer(b"there")
        internet.pages[f"{HERE} /icon.png"] = moved("/a", "301 Moved Permanently")
        internet.pages[f"{HERE} /a"] = moved("//other.example/b", "308 Permanent Redirect")
        assert internet.web().get(ICON, limit=LIMIT) == b"there"
        before = len(internet.asked)
        for to in (
            "http://inside.example/",
            "http://meta.example/latest/meta-data/",
            "http://169.254.169.254/latest/meta-data/",
            "http://user@other.example/b",
            "file:///etc/passwd",
            "http://other.example:8080/b",
            "//inside.example/b",
            "gopher://x",
            "http://[",
        ):
            internet.names |= {"169.254.169.254": [["169.254.169.254"]]}
            internet.pages[f"{HERE} /icon.png"] = moved(to)
            with pytest.raises(FetchError):
                internet.web().get(ICON, limit=LIMIT)
        assert set(internet.asked[before:]) == {f"{HERE} /icon.png"}

    def test_not_for_ever(self, internet: Internet) -> None:
        internet.pages[f"{HERE} /icon.png"] = moved("/icon.png")
        with pytest.raises(FetchError, match="more than 3 times"):
            internet.web().get(ICON, limit=LIMIT)
        assert len(internet.asked) == 4

    @pytest.mark.parametrize("status", ["204 No Content", "206 Partial Content", "404 Not Found", "500 Oops"])
    def test_other_answers_are_none(self, internet: Internet, status: str) -> None:
        internet.pages[f"{HERE} /icon.png"] = answer(b"x", status)
        with pytest.raises(FetchError, match=f"answers {status[:3]}"):
            internet.web().get(ICON, limit=LIMIT)

    @pytest.mark.parametrize(
        "head", [b"Content-Length: 100001\r\n\r\n", b"\r\n", b"Transfer-Encoding: chunked\r\n\r\n"]
    )
    def test_no_more_than_so_many_bytes(self, internet: Internet, head: bytes) -> None:
        def flood(client: socket.socket, _: str) -> None:
            client.sendall(b"HTTP/1.1 200 OK\r\n" + head)
            piece = b"x" * 10_000
            if b"chunked" in head:
                piece = b"2710\r\n" + piece + b"\r\n"
            while True:
                client.sendall(piece)

        internet.pages[f"{HERE} /icon.png"] = flood
        with pytest.raises(FetchError, match="more than 100000 bytes"):
            internet.web().get(ICON, limit=LIMIT)

    @pytest.mark.parametrize(
        "start",
        [
            b"",
            b"HTTP/1.1 200 OK\r\nX: ",
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        ],
        ids=["status", "headers", "body", "chunks"],
    )
    def test_no_longer_than_so_many_seconds_however_little_comes_at_a_time(
        self, internet: Internet, start: bytes
    ) -> None:
        def drip(client: socket.socket, _: str) -> None:
            client.sendall(start)
            while True:
                client.sendall(b"1")
                time.sleep(0.05)

        internet.pages[f"{HERE} /icon.png"] = drip
        with must_end(waits=True), pytest.raises(FetchError):
            internet.web(seconds=0.6).get(ICON, limit=LIMIT)

    def test_nobody_there(self, internet: Internet) -> None:
        for url in ("http://nobody.example/", "https://icons.example/"):
            with pytest.raises(FetchError):
                internet.web(seconds=1).get(url, limit=LIMIT)

    def test_proxies_are_not_asked(self, internet: Internet, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        assert internet.web().get(ICON, limit=LIMIT) == b"a picture"


def test_it_is_the_real_thing_that_a_server_uses() -> None:
    web = PublicWeb()
    assert (web._look_up, web._is_public) == (public_web.look_up, public_web.is_public)
