import asyncio
import gc
import json
import sys
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from inferno_backend.vllm_engine.lane import Feed, Lane

from inferno_core.errors import EngineFailed, InfernoError


def chunk(*choices: str, more: str = "") -> str:
    return f'data: {{"id":"1","created":1,"choices":[{",".join(choices)}]{more}}}\n\n'


async def words(feed: Feed) -> AsyncGenerator[str, None]:
    """A serving layer that says each of the words that it is given, and the end of the stream after `None`."""
    async for said in feed:
        if said == "error":
            yield 'data: {"error":{"message":"no","code":500}}\n\n'
        if said == "end":
            yield chunk(more=',"usage":{}')
            yield "data: [DONE]\n\n"
            return
        for word in said:
            yield chunk(json.dumps({"index": 0, "text": word}))


def failed(error: dict[str, Any]) -> InfernoError:
    return EngineFailed(str(error["code"]))


@pytest.fixture
def lane() -> Lane:
    feed = Feed()
    return Lane(words(feed), feed, failed)


def test_what_goes_in_comes_out_at_once(lane: Lane):
    assert lane.push([]) == []
    assert lane.push(["a", "b"]) == [b'{"index": 0, "text": "a"}', b'{"index": 0, "text": "b"}']
    assert lane.push(["c"]) == [b'{"index": 0, "text": "c"}']


def test_a_stream_that_ended_says_nothing(lane: Lane):
    assert lane.push("end") == []
    assert lane.push(["a"]) == []


def test_an_error_in_the_stream_is_raised(lane: Lane):
    with pytest.raises(EngineFailed, match="500"):
        lane.push("error")


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (
            '{"index":0,"delta":{},"finish_reason":null,"token_ids":null}',
            b'{"index":0,"delta":{},"finish_reason":null}',
        ),
        ('{"index":0,"text":"a","prompt_token_ids":null,"token_ids":null}', b'{"index":0,"text":"a"}'),
        ('{"index":0,"text":"a","prompt_token_ids":[1,2],"token_ids":null}', b'{"index":0,"text":"a"}'),
        ('{"index":0,"text":",\\"token_ids\\":null}"}', b'{"index":0,"text":",\\"token_ids\\":null}"}'),
        ('{"index":0,"logprobs":[]}', b'{"index":0,"logprobs":[]}'),
        (
            '{"index":0,"delta":{"reasoning":"So"},"finish_reason":null,"token_ids":null}',
            b'{"index":0,"delta":{"reasoning":"So","reasoning_content":"So"},"finish_reason":null}',
        ),
        ('{"index":0,"delta":{"reasoning":null}}', b'{"index":0,"delta":{"reasoning":null}}'),
        ('{"index":0,"text":"\\"reasoning\\":"}', b'{"index":0,"text":"\\"reasoning\\":"}'),
    ],
)
def test_choices_are_brought_into_the_form_that_clients_read(said: str, kept: bytes):
    async def stream(feed: Feed) -> AsyncGenerator[str, None]:
        async for _ in feed:
            yield chunk(said)

    feed = Feed()
    assert Lane(stream(feed), feed, failed).push("x") == [kept]


async def test_an_event_loop_does_not_take_the_stream_for_its_own(lane: Lane):
    """Else it would close the stream, once that is let go of, while it is still waiting for more."""
    troubles: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: troubles.append(context))
    hooks = sys.get_asyncgen_hooks()
    assert lane.begin(["a"])
    assert sys.get_asyncgen_hooks() == hooks
    del lane
    gc.collect()
    await asyncio.sleep(0)
    assert troubles == []
