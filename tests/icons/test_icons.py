"""Icons are made once, failures are remembered for a while, and little is under way at a time."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chartrepo.icons import Icon, Icons, KeptIcons, icons
from tests.icons import internet as internets
from tests.icons.internet import Internet, answer
from tests.support.raster import bomb, colors, picture
from tests.support.repositories import Clock

URL = "http://icons.example/icon.png"
HERE = "203.0.113.1"
PAGE = f"{HERE} /icon.png"


def nothing(_: str) -> bytes | None:
    raise AssertionError("no file is asked for")


@pytest.fixture
def internet() -> Iterator[Internet]:
    with internets.running() as found:
        found.names["icons.example"] = [[HERE]]
        found.pages[PAGE] = answer(picture())
        yield found


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(tmp_path: Path, internet: Internet, clock: Clock) -> Callable[[], Icons]:
    """A worker; all share a folder."""
    return lambda: Icons(KeptIcons(tmp_path / "icons", clock=clock), internet.web())


def of(worker: Icons, icon: object = URL, package: str = "ab", file: Callable[[str], bytes | None] = nothing) -> Icon:
    return worker.of(icon, package, file)


def test_an_icon_is_fetched_once_for_all_workers(make: Callable[[], Icons], internet: Internet) -> None:
    one, other = make(), make()
    first = of(one)
    assert first.png is not None
    assert colors(first.png)[0] == (128, 85)
    assert of(one) == of(other, package="cd") == first
    assert internet.asked == [PAGE]


@pytest.mark.parametrize("body", [b"<svg/>", b"", bomb(9000, 9000), picture() + b"x" * 2**20])
def test_what_cannot_be_had_is_not_asked_for_again_for_an_hour(
    make: Callable[[], Icons], internet: Internet, clock: Clock, body: bytes
) -> None:
    internet.pages[PAGE] = answer(body)
    for _ in range(3):
        assert of(make()) == Icon(None, settled=True)
    assert internet.asked == [PAGE]
    internet.pages[PAGE] = answer(picture())
    clock.now += 3590
    assert of(make()).png is None
    clock.now += 20
    assert of(make()).png is not None
    assert of(make()).png is not None
    assert internet.asked == [PAGE, PAGE]


def test_nothing_is_fetched_where_that_is_off(tmp_path: Path, internet: Internet) -> None:
    worker = Icons(KeptIcons(tmp_path / "icons"), None)
    assert of(worker) == Icon(None, settled=True)
    assert not worker.may_have(URL)
    assert worker.may_have("icon.png")
    assert internet.asked == internet.looked_up == []


def test_it_is_known_beforehand_whether_there_may_be_one(make: Callable[[], Icons]) -> None:
    assert [make().may_have(icon) for icon in (URL, "a.png", "a.svg", None)] == [True, True, False, False]


def test_one_inside_of_a_package_goes_by_the_package(make: Callable[[], Icons]) -> None:
    files = {"icon.png": picture(color="#00ff00")}
    green = of(make(), "icon.png", "ab", files.get)
    assert green.png is not None
    assert of(make(), "./icon.png", "ab", nothing) == green
    assert of(make(), "icon.png", "cd", {"icon.png": picture(color="#0000ff")}.get) != green
    assert of(make(), "none.png", "cd", files.get) == Icon(None, settled=True)


def test_one_fetches_and_others_do_not_wait(make: Callable[[], Icons], internet: Internet) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def slowly(client: object, _: str) -> None:
        asked.set()
        assert go_on.wait(10)
        client.sendall(answer(picture()))  # type: ignore[attr-defined]

    internet.pages[PAGE] = slowly
    one, other = make(), make()
    found: list[Icon] = []
    thread = threading.Thread(target=lambda: found.append(of(one)))
    thread.start()
    assert asked.wait(10)
    assert of(one) == of(other) == Icon(None, settled=False)
    go_on.set()
    thread.join()
    assert found[0].png is not None
    assert of(other) == found[0]
    assert internet.asked == [PAGE]


def test_a_worker_fetches_few_at_a_time(make: Callable[[], Icons], internet: Internet) -> None:
    worker = make()
    go_on = threading.Event()
    under_way = threading.Semaphore(0)

    def slowly(client: object, _: str) -> None:
        under_way.release()
        assert go_on.wait(10)
        client.sendall(answer(picture()))  # type: ignore[attr-defined]

    urls = [f"http://icons.example/{number}.png" for number in range(4)]
    internet.pages |= {f"{HERE} /{number}.png": slowly for number in range(4)}
    threads = [threading.Thread(target=of, args=(worker, url)) for url in urls[: icons._FETCHES]]  # type: ignore[attr-defined]
    for thread in threads:
        thread.start()
        assert under_way.acquire(timeout=10)
    assert of(worker, urls[3]) == Icon(None, settled=False)
    assert worker.of("icon.png", "ab", {"icon.png": picture()}.get).png is not None
    go_on.set()
    for thread in threads:
        thread.join()
    assert of(worker, urls[3]).png is not None


def test_the_folder_stays_small(tmp_path: Path, clock: Clock) -> None:
    kept = KeptIcons(tmp_path / "icons", most=20, clock=clock)
    for number in range(100):
        clock.now += 1
        kept.keep(f"{number:064x}", b"x" if number % 2 else None)
    files = [file for file in (tmp_path / "icons").iterdir() if not file.name.startswith("lock-")]
    assert 18 <= len(files) <= 20
    assert kept.get(f"{99:064x}") is not None
    assert kept.get(f"{1:064x}") is None


def test_a_folder_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "icons").write_text("in the way")
    worker = Icons(KeptIcons(tmp_path / "icons"), None)
    assert worker.of("icon.png", "ab", {"icon.png": picture()}.get).png is not None
