import threading

from inferno_backend.outbox import Outbox
from inferno_backend.seam import Gain
from inferno_backend.tray import Tray


class Speaker:
    """Says what is in its tray; blocks while its gate is shut. It says it is not done the first `unwilling` times."""

    def __init__(self, outbox: Outbox, fails: bool = False, unwilling: int = 0) -> None:
        self.tray = Tray(outbox.news, self)
        self.said: list[list[str]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.spoke = threading.Semaphore(0)
        self._outbox = outbox
        self._fails = fails
        self._unwilling = unwilling

    def put(self, word: str) -> None:
        self.tray.put(Gain(0, (1,), word))
        self._outbox.stepped()

    def speak(self, hurry: bool = False) -> bool:
        self.entered.set()
        self.hurried = hurry
        assert self.gate.wait(5)
        if self._unwilling:
            self._unwilling -= 1
            return True
        self.said.append([gain.raw for gain in self.tray.take(1000)])
        self.spoke.release()
        if self._fails:
            raise RuntimeError("The way is blocked.")
        return False


def test_words_go_out_in_order():
    outbox = Outbox()
    speaker = Speaker(outbox)
    for word in "abcde":
        speaker.put(word)
    outbox.close(5)
    assert [word for words in speaker.said for word in words] == list("abcde")


def test_what_waits_while_the_way_lags_goes_together():
    outbox = Outbox()
    speaker = Speaker(outbox)
    speaker.gate.clear()
    speaker.put("a")
    assert speaker.entered.wait(5)
    for word in "bcd":
        speaker.put(word)
    speaker.gate.set()
    outbox.close(5)
    assert speaker.said == [["a"], ["b", "c", "d"]]


def test_one_that_fails_does_not_silence_the_others():
    outbox = Outbox()
    broken, sound = Speaker(outbox, fails=True), Speaker(outbox)
    broken.put("a")
    sound.put("b")
    assert sound.spoke.acquire(timeout=5)


def test_one_that_is_not_done_is_asked_again():
    outbox = Outbox()
    speaker = Speaker(outbox, unwilling=3)
    speaker.put("a")
    assert speaker.spoke.acquire(timeout=5)
    assert speaker.said == [["a"]]


def test_whoever_is_not_done_at_the_end_is_hurried():
    outbox = Outbox()
    speaker = Speaker(outbox, unwilling=3)
    speaker.put("a")
    outbox.close(5)
    assert speaker.said == [["a"]]
    assert speaker.hurried


def test_one_that_has_no_news_may_speak_until_it_is_done():
    outbox = Outbox()
    speaker = Speaker(outbox, unwilling=2)
    outbox.take(speaker)
    assert speaker.spoke.acquire(timeout=5)
