"""When a service that is silent is asked, and when not."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from storage.base import NotFound, Unavailable
from storage.circuit import Circuit
from tests.support.repositories import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock(now=1000.0)


@pytest.fixture
def circuit(clock: Clock) -> Circuit:
    return Circuit("the service", long=0, clock=clock)


def find_silent(circuit: Circuit) -> None:
    with pytest.raises(Unavailable, match="nobody there"), circuit.call("ask"):
        raise silence()


def silence() -> Unavailable:
    error = Unavailable("nobody there")
    error.silent = True
    return error


def is_asked(circuit: Circuit) -> bool:
    try:
        with circuit.call("ask"):
            return True
    except Unavailable:
        return False


@contextmanager
def under_way(circuit: Circuit) -> Iterator[None]:
    """A call that nobody answers, from its beginning to its end."""
    with pytest.raises(Unavailable, match="nobody there"), circuit.call("ask"):  # noqa: PT012 - that is the call
        yield
        raise silence()


def test_after_a_call_that_nobody_answered_the_others_fail_at_once(circuit: Circuit, clock: Clock) -> None:
    find_silent(circuit)
    clock.now += 4.9
    with pytest.raises(Unavailable, match=r"cannot read 'k': the service did not answer a moment ago; try again later"):
        circuit.call("read 'k'").__enter__()


def test_after_a_while_one_call_at_a_time_tries(circuit: Circuit, clock: Clock) -> None:
    find_silent(circuit)
    clock.now += 5
    with circuit.call("try"):
        assert not is_asked(circuit)
    assert is_asked(circuit)


def test_the_first_answer_opens_the_way_for_all(circuit: Circuit, clock: Clock) -> None:
    find_silent(circuit)
    clock.now += 5
    with circuit.call("try"):
        circuit.answered()
        assert is_asked(circuit)
    with circuit.call("ask"):
        assert is_asked(circuit)


def test_the_pauses_grow_to_half_a_minute_and_begin_anew_after_an_answer(circuit: Circuit, clock: Clock) -> None:
    def pause() -> float:
        began = clock.now
        while not is_asked(circuit):
            clock.now += 1
        return clock.now - began

    pauses = []
    for _ in range(5):
        find_silent(circuit)
        pauses.append(pause())
    assert pauses == [5, 10, 20, 30, 30]
    circuit.answered()
    find_silent(circuit)
    assert pause() == 5


def test_many_calls_that_nobody_answers_at_once_make_the_pause_no_longer(circuit: Circuit, clock: Clock) -> None:
    with under_way(circuit), under_way(circuit), under_way(circuit):
        pass
    clock.now += 5
    assert is_asked(circuit)


def test_a_call_without_an_answer_tells_nothing_where_others_were_answered(circuit: Circuit) -> None:
    with under_way(circuit):
        circuit.answered()
    assert is_asked(circuit)


def test_an_answer_that_comes_late_counts_too(circuit: Circuit) -> None:
    with circuit.call("ask"):
        find_silent(circuit)
        assert not is_asked(circuit)
        circuit.answered()
    assert is_asked(circuit)


def test_what_was_answered_is_no_silence(circuit: Circuit) -> None:
    for error in (Unavailable("503"), NotFound("404")):
        with pytest.raises(type(error)), circuit.call("ask"):
            raise error
        assert is_asked(circuit)


def test_where_nobody_waits_for_long_everybody_asks(clock: Clock) -> None:
    circuit = Circuit("the service", clock=clock)
    with under_way(circuit):
        clock.now += 0.9
    assert is_asked(circuit)
    with under_way(circuit):
        clock.now += 1
    assert not is_asked(circuit)


def test_a_try_that_ends_without_having_asked_leaves_the_next_one_to_others(circuit: Circuit, clock: Clock) -> None:
    find_silent(circuit)
    clock.now += 5
    with pytest.raises(KeyboardInterrupt), circuit.call("try"):
        raise KeyboardInterrupt
    assert is_asked(circuit)


def test_a_try_that_outlives_an_answer_does_not_end_the_try_of_another(circuit: Circuit, clock: Clock) -> None:
    find_silent(circuit)
    clock.now += 5
    with circuit.call("try"):
        circuit.answered()
        find_silent(circuit)
        clock.now += 5
        other = circuit.call("try too")
        other.__enter__()
    assert not is_asked(circuit)
    other.__exit__(None, None, None)
    assert is_asked(circuit)


def test_of_many_threads_exactly_one_tries(circuit: Circuit, clock: Clock) -> None:
    find_silent(circuit)
    clock.now += 5
    all_there = threading.Barrier(8)
    all_told = threading.Barrier(8)
    asked = []

    def ask() -> None:
        all_there.wait(10)
        try:
            with circuit.call("try"):
                asked.append(True)
                all_told.wait(10)
        except Unavailable:
            all_told.wait(10)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert asked == [True]
