import queue
from collections import deque
from collections.abc import Sequence

from fake_engine import Words, spelt
from inferno_backend.seam import Choice, Gain
from inferno_backend.sessions.speaker import SlowSpeaker, Spoken, speak
from inferno_backend.tray import Tray

from inferno_core.errors import InvalidRequest


def a_tray() -> Tray:
    return Tray(deque(), None)


GAINS = [Gain(0, (1,), "a"), Gain(0, (2,), "b")]


def test_gains_are_told_together():
    tray = a_tray()
    tray.begin(spelt)
    assert speak(tray, GAINS) == Spoken(tray, [Choice(0, [1, 2], b"ab")])


def test_without_gains_there_are_no_words():
    tray = a_tray()
    assert speak(tray, []) == Spoken(tray, ())


def test_a_failure_is_told():
    def refusing(gains: Sequence[Gain]) -> Sequence[Choice]:
        raise error

    error = InvalidRequest("No.")
    tray = a_tray()
    tray.begin(Words(refusing))
    assert speak(tray, GAINS) == Spoken(tray, (), error)


def test_slow_ones_are_told_from_another_thread_in_their_order():
    spoken: queue.SimpleQueue[Spoken] = queue.SimpleQueue()
    speaker = SlowSpeaker(spoken.put)
    trays = [a_tray() for _ in range(3)]
    for tray in trays:
        tray.begin(spelt)
        speaker.take(tray, GAINS)
    assert [spoken.get(timeout=5).tray for _ in trays] == trays
    speaker.close()
