"""Threads in simulated time: they wait as `threading`'s do, in a time that jumps; who vanishes says no word."""

import pytest

pytest.importorskip("greenlet")

from benchmarks.virtual_time import Life, VirtualTime


def test_time_jumps_to_whoever_waits_the_shortest() -> None:
    virtual, seen = VirtualTime(100.0), []

    def wait(name: str, *seconds: float) -> None:
        for one in seconds:
            virtual.time.sleep(one)
            seen.append((name, virtual.time.monotonic()))

    virtual.spawn(lambda: wait("a", 1.0, 5.0), Life())
    virtual.spawn(lambda: wait("b", 3600.0), Life())
    virtual.spawn(lambda: wait("c", 0.0, 0.5), Life(), after=2.0)
    virtual.run()
    assert seen == [("a", 101.0), ("c", 102.0), ("c", 102.5), ("a", 106.0), ("b", 3700.0)]


def test_events_and_threads_are_those_of_threading() -> None:
    virtual, seen = VirtualTime(), []
    bell = virtual.threading.Event()

    def main() -> None:
        def ring() -> None:
            virtual.pause(7.0)
            bell.set()
            virtual.pause(3.0)

        thread = virtual.threading.Thread(target=ring, name="ring", daemon=True)
        thread.start()
        seen.append((bell.wait(2.0), virtual.now))
        seen.append((bell.wait(), virtual.now))
        seen.append((bell.wait(5.0), virtual.now))
        thread.join(1.0)
        seen.append((bell.is_set(), virtual.now))
        thread.join()
        seen.append((True, virtual.now))

    virtual.spawn(main, Life())
    virtual.run()
    assert seen == [(False, 2.0), (True, 7.0), (True, 7.0), (True, 8.0), (True, 10.0)]


def test_who_vanishes_does_nothing_more_until_it_is_buried() -> None:
    virtual, seen = VirtualTime(), []
    gone = Life()

    def work() -> None:
        try:
            for _ in range(10):
                virtual.pause(1.0)
                seen.append(virtual.now)
        finally:
            seen.append(-1.0)

    virtual.spawn(work, gone)
    virtual.spawn(lambda: setattr(gone, "alive", False), Life(), after=2.5)
    virtual.run()
    assert seen == [1.0, 2.0] and len(gone.tasks) == 1
    virtual.bury()
    assert seen == [1.0, 2.0, -1.0] and not gone.tasks


def test_what_a_thread_raises_ends_the_simulation() -> None:
    virtual = VirtualTime()
    virtual.spawn(lambda: [][0], Life())
    with pytest.raises(IndexError):
        virtual.run()
