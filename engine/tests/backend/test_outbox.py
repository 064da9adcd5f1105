import threading
from typing import Any

from inferno_backend.contract import End
from inferno_backend.outbox import Outbox


class Recipient:
    """Takes what is sent; blocks while its gate is shut."""

    def __init__(self, fails: bool = False) -> None:
        self.sent: list[tuple[list[Any], End | None]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.ended = threading.Event()
        self._fails = fails

    def send(self, words: list[Any], end: End | None) -> None:
        self.entered.set()
        assert self.gate.wait(5)
        self.sent.append((words, end))
        if end is not None:
            self.ended.set()
        if self._fails:
            raise RuntimeError("The way is blocked.")


def test_words_go_out_in_order_and_the_end_with_the_last():
    outbox, recipient = Outbox(), Recipient()
    for word in range(5):
        outbox.add(recipient, [word], None)
    outbox.add(recipient, [5], End())
    assert recipient.ended.wait(5)
    assert [word for words, _ in recipient.sent for word in words] == list(range(6))
    assert [end for _, end in recipient.sent][:-1] == [None] * (len(recipient.sent) - 1)


def test_what_waits_while_the_way_lags_goes_in_one_response():
    outbox, recipient = Outbox(), Recipient()
    recipient.gate.clear()
    outbox.add(recipient, [0], None)
    assert recipient.entered.wait(5)
    for word in range(1, 100):
        outbox.add(recipient, [word], None)
    outbox.add(recipient, [], End())
    recipient.gate.set()
    assert recipient.ended.wait(5)
    assert [len(words) for words, _ in recipient.sent] == [1, 99]


def test_one_that_fails_does_not_silence_the_others():
    outbox, broken, sound = Outbox(), Recipient(fails=True), Recipient()
    outbox.add(broken, [1], None)
    outbox.add(sound, [1], End())
    assert sound.ended.wait(5)


def test_what_follows_an_end_is_dropped():
    outbox, recipient = Outbox(), Recipient()
    recipient.gate.clear()
    outbox.add(recipient, [0], None)
    assert recipient.entered.wait(5)
    outbox.add(recipient, [1], End())
    outbox.add(recipient, [2], None)
    recipient.gate.set()
    outbox.close(5)
    assert [words for words, _ in recipient.sent] == [[0], [1]]
