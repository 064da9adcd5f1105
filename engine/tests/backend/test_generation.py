import json

import pytest
from fake_engine import Words, spelt
from inferno_backend.generation import Generation
from inferno_backend.openai import OpenAIContract
from inferno_backend.outbox import Outbox
from inferno_backend.seam import Choice, Gain, Usage
from triton_python_backend_utils import Sender

from inferno_core.errors import EngineFailed, InvalidRequest

WORD = Gain(0, (7,), "word")
# A token that no tensor of 32 bits holds.
UNSPEAKABLE = Gain(0, (1 << 40,), "word")


class Talk:
    """A generation, what was sent of it, and what the engine was told to stop."""

    def __init__(self, refusals: int = 0) -> None:
        self.sender = Sender(refusals)
        self.stopped: list[str] = []
        self.outbox = Outbox()
        self.generation = Generation("g", OpenAIContract(), self.sender, self.outbox, self.stopped.extend)
        self.tray = self.generation.tray
        self.tray.begin(spelt)

    def over(self) -> list[bool]:
        self.outbox.close(5)
        return [final for _, final in self.sender.sent]

    def failure(self) -> dict[str, str]:
        response = self.sender.sent[-1][0]
        assert response is not None
        return json.loads(response.values["error"][0])


def test_the_last_words_are_final():
    talk = Talk()
    talk.tray.put(WORD)
    talk.tray.put(WORD)
    talk.tray.end(Usage(1, 2))
    finals = talk.over()
    assert finals[-1]
    assert not any(finals[:-1])
    assert talk.generation.is_closed()
    assert talk.stopped == []


@pytest.mark.parametrize("last", [False, True])
def test_words_that_no_response_can_hold_end_it_once_and_stop_the_engine(last: bool):
    talk = Talk()
    talk.tray.put(UNSPEAKABLE)
    if last:
        talk.tray.end(Usage(1, 1))
    assert talk.over() == [True]
    assert talk.failure()["code"] == "engine_failed"
    assert talk.stopped == ["g"]
    assert talk.generation.is_closed()


def test_what_cannot_be_put_into_words_ends_it():
    talk = Talk()

    def refusing(gains: object) -> list[Choice]:
        raise InvalidRequest("No words.")

    talk.tray.begin(Words(refusing))
    talk.tray.put(WORD)
    assert talk.over() == [True]
    assert talk.failure()["code"] == "invalid_request"
    assert talk.stopped == ["g"]


def test_a_send_that_fails_ends_it_too():
    talk = Talk(refusals=1)
    talk.tray.put(WORD)
    talk.tray.end(Usage(1, 1))
    assert talk.over() == [True]
    assert talk.failure()["code"] == "engine_failed"


def test_final_is_sent_again_until_it_went_out():
    talk = Talk(refusals=5)
    talk.tray.put(WORD)
    talk.tray.end(Usage(1, 1))
    assert talk.over() == [True]
    assert talk.generation.is_closed()


def test_one_that_rests_is_ended_all_the_same_when_there_is_no_time_left():
    talk = Talk()
    assert talk.tray.rendering is not None
    talk.tray.rendering.is_slow, talk.tray.rendering.rested_at = True, float("inf")
    talk.tray.put(WORD)
    talk.outbox.stepped()
    talk.generation.fail(EngineFailed("Unloaded."))
    assert talk.over()[-1]


def test_nothing_follows_the_end():
    talk = Talk()
    talk.generation.abandon()
    talk.outbox.close(5)
    talk.tray.put(WORD)
    assert not talk.generation.speak()
    assert talk.sender.sent == [(None, True)]


def test_a_failure_from_elsewhere_ends_it():
    talk = Talk()
    talk.generation.fail(EngineFailed("Dead."))
    assert talk.over() == [True]
    assert talk.failure()["code"] == "engine_failed"


def test_one_that_is_closed_is_not_asked_after():
    talk = Talk()
    talk.sender.cancelled = True
    assert talk.generation.is_cancelled()
    talk.generation.abandon()
    talk.outbox.close(5)
    assert not talk.generation.is_cancelled()
