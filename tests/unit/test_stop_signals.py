"""Being asked to stop: sent by `signal.raise_signal`, as the operating system delivers it."""

import signal

import pytest

from colgan_search.signals import STOPS, restored, stop_asked


@pytest.mark.parametrize("number", STOPS)
def test_the_first_signal_asks_and_a_second_interrupt_insists(number: signal.Signals) -> None:
    told: list[str] = []
    before = [signal.getsignal(stop) for stop in STOPS]
    with restored():
        asked = stop_asked(lambda: told.append("first"), lambda: told.append("again"))
        assert not asked.is_set()
        signal.raise_signal(number)
        assert asked.is_set() and told == ["first"]
        signal.raise_signal(signal.SIGTERM)  # a polite one insists on nothing
        assert told == ["first"]
        signal.raise_signal(signal.SIGINT)
        assert told == ["first", "again"]
    assert [signal.getsignal(stop) for stop in STOPS] == before


def test_without_more_to_do_only_the_event_is_set() -> None:
    with restored():
        asked = stop_asked()
        for number in STOPS:
            signal.raise_signal(number)
        assert asked.is_set()
