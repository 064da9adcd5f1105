import logging
import weakref

import pytest
from inferno_backend.sessions.place import Place
from triton_python_backend_utils import Sender


def test_messages_travel_together_and_final_with_the_last():
    sender = Sender()
    place = Place(sender)
    assert place.send((b"a", b"b"), final=False)
    assert place.send((b"c",), final=True)
    told = [(response.values["session"], final) for response, final in sender.sent if response is not None]
    assert told == [([b"a", b"b"], False), ([b"c"], True)]


def test_there_is_exactly_one_final():
    sender = Sender()
    place = Place(sender)
    place.send((), final=True)
    place.send((), final=True)
    place.send((b"late",), final=False)
    assert sender.sent == [(None, True)]


def test_one_that_is_closed_is_not_asked_after():
    sender = Sender()
    sender.cancelled = True
    place = Place(sender)
    assert place.is_cancelled()
    place.send((), final=True)
    assert not place.is_cancelled()


def test_final_is_sent_again_until_it_went_out():
    sender = Sender(refusals=3)
    place = Place(sender)
    assert not place.send((b"a",), final=True)
    assert [place.leave() for _ in range(3)] == [False, False, True]
    assert sender.sent == [(None, True)]


def test_one_that_takes_no_final_at_all_is_let_go_of(caplog: pytest.LogCaptureFixture):
    # What is logged would hold on to it.
    caplog.set_level(logging.CRITICAL, "inferno_backend.farewell")
    sender = Sender(refusals=1_000_000)
    place = Place(sender)
    assert not place.send((), final=True)
    letting_go = weakref.ref(sender)
    del sender
    while not place.leave():
        assert letting_go() is not None
    assert letting_go() is None


def test_what_cannot_be_sent_is_told():
    place = Place(Sender(refusals=1))
    assert not place.send((b"a",), final=False)
    assert place.leave()
    assert place.send((b"b",), final=False)
