import json

from inferno_api.responses.streaming import DONE, KEEPALIVE, EventStream, error_event
from inferno_core.acceptance import Accepted
from inferno_core.errors import WorkerLost
from inferno_core.records import Final, Frame, Outcome, Usage


def accepted(delta: bytes, token_index: int) -> Accepted:
    return Accepted(Frame(id="id", epoch=0, choice=0, index=0, tokens=(1,), delta=delta), token_index)


def stream(*, include_usage: bool = False) -> EventStream:
    return EventStream("chat", id="chatcmpl-1", created=7, model='m"x', fingerprint="fp", include_usage=include_usage)


def test_a_delta_goes_out_as_the_bytes_that_came() -> None:
    delta = '{"index": 0,  "delta":{"content":"é 🔥"}}'.encode()
    data = stream().render([accepted(delta, 4)])
    assert delta in data
    assert json.loads(data.removeprefix(b"data: ")) == {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 7,
        "model": 'm"x',
        "system_fingerprint": "fp",
        "choices": [{"index": 0, "delta": {"content": "é 🔥"}}],
        "token_index": 4,
    }


def test_frames_of_one_step_are_events_in_order() -> None:
    data = stream().render([accepted(b'{"index":0}', 0), accepted(b"", 1), accepted(b'{"index":1}', 2)])
    assert [json.loads(event[6:])["token_index"] for event in data.decode().split("\n\n")[:-1]] == [0, 2]


def test_a_chunk_without_tokens_has_no_place() -> None:
    assert json.loads(stream().render([accepted(b"{}", -1)])[6:])["token_index"] is None


def test_nothing_in_is_nothing_out() -> None:
    assert stream().render([]) == b""


def test_the_end_says_usage_only_if_asked() -> None:
    final = Final(Outcome.FINISHED, usage=Usage(3, 4, 2))
    assert stream().end(final) == DONE
    usage, done = stream(include_usage=True).end(final).decode().split("\n\n")[:-1]
    assert done == "data: [DONE]"
    assert json.loads(usage[6:])["usage"]["prompt_tokens_details"] == {"cached_tokens": 2}
    assert b'"usage":null' in stream(include_usage=True).end(Final(Outcome.FINISHED))


def test_a_comment_has_one_newline() -> None:
    assert KEEPALIVE == b": ping\n"


def test_an_error_is_an_event() -> None:
    data = error_event(WorkerLost("The worker is gone.\nIndeed."))
    assert data.count(b"\n") == 2
    assert json.loads(data[6:])["error"]["code"] == "worker_lost"
