import asyncio

import pytest
from log_platform import MakeDraft, Read, Until

from inferno_core.errors import Unavailable
from inferno_stream.fake import FakeEdge, words


async def test_answers_from_the_script(draft: MakeDraft, read: Read) -> None:
    edge = FakeEdge(lambda draft: words("Hello", " world"))
    accepted = await read(await edge.submit(draft()))
    assert [one.token_index for one in accepted] == [0, 1]
    assert accepted[-1].frame.finish == "stop"
    assert edge.detached == []


async def test_an_error_comes_at_once_or_later(draft: MakeDraft, read: Read) -> None:
    with pytest.raises(Unavailable):
        await FakeEdge(lambda draft: [Unavailable("full")]).submit(draft())
    follower = await FakeEdge(lambda draft: [words("a", "b")[0], Unavailable("cut")]).submit(draft())
    with pytest.raises(Unavailable):
        await read(follower)


async def test_leaving_early_is_told(draft: MakeDraft, until: Until) -> None:
    edge = FakeEdge(lambda draft: words("a", "b"))
    follower = await edge.submit(draft())
    await follower.aclose()
    assert edge.detached == [follower.id]
    await asyncio.sleep(0)
    await edge.stop()
