"""Refusals become records, and no flood of them fills the disk."""

from chartrepo.audit import floods
from chartrepo.audit.floods import FREE, FREE_IN_ALL, Floods
from tests.support.repositories import Clock


def counted(floods: Floods, address: str, tries: int) -> list[int]:
    return [count for _ in range(tries) if (count := floods.count(address)) is not None]


def test_the_first_of_an_address_are_all_told_and_then_fewer_and_fewer() -> None:
    assert counted(Floods(clock=Clock()), "192.0.2.1", 12_345) == [1] * FREE + [100, 1000, 10_000]


def test_one_address_does_not_hide_another() -> None:
    each = Floods(clock=Clock())
    counted(each, "192.0.2.1", 500)
    assert counted(each, "192.0.2.2", 3) == [1, 1, 1]


def test_a_minute_later_all_are_told_again() -> None:
    clock = Clock(60.0)
    each = Floods(clock=clock)
    counted(each, "192.0.2.1", 500)
    clock.now = 119.9
    assert counted(each, "192.0.2.1", 1) == []
    clock.now = 120.0
    assert counted(each, "192.0.2.1", FREE + 1) == [1] * FREE


def test_many_addresses_together_are_bounded_as_well() -> None:
    each = Floods(clock=Clock())
    told = [count for number in range(20_000) for count in counted(each, f"address {number}", 1)]
    assert told == [1] * FREE_IN_ALL + [1000, 10_000]


def test_so_is_what_is_remembered_of_them() -> None:
    each = Floods(clock=Clock())
    for number in range(floods.MOST + 100):
        each.count(f"address {number}")
    assert len(each._by_address) == floods.MOST
