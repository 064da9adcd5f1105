import asyncio

import msgspec
import pytest
from log_platform import MakeDraft, Platform, Read, Until

from inferno_core import address, codec
from inferno_core.errors import InvalidRequest, TooLarge, Unavailable
from inferno_core.records import Detach, QueueRecord, Request
from inferno_core.settings import ApiSettings, KafkaSettings
from inferno_stream import follower as limits
from inferno_stream import kafka, kafka_edge, topics
from inferno_stream.fake import FakeEngine, Step, words
from inferno_stream.kafka_edge import KafkaEdge
from inferno_stream.producer import Headers

pytestmark = pytest.mark.stack


async def test_an_id_says_where_its_words_lie(platform: Platform, draft: MakeDraft) -> None:
    edge = await platform.edge(reply_partition=1)
    log = await topics.ensure(platform.settings)
    made = draft()
    places = [address.read((await edge.submit(made)).id, made.tenant, b"k" * 32) for _ in range(8)]
    assert {place.p for place in places} == {0, 1, 2, 3}
    assert {place.r for place in places} == {1}
    assert {place.incarnation for place in places} == {log.incarnation}


async def test_too_many_open_generations_are_refused(platform: Platform, draft: MakeDraft) -> None:
    edge = await platform.edge(max_open=1)
    first = await edge.submit(draft())
    with pytest.raises(Unavailable) as refused:
        await edge.submit(draft())
    assert refused.value.retry_after_s
    await first.aclose()
    await edge.submit(draft())


async def test_two_replicas_share_a_reply_partition(platform: Platform, draft: MakeDraft, read: Read) -> None:
    await platform.worker(FakeEngine(lambda request: words("a", "b")))
    edges = [await platform.edge(name=name) for name in ("api-0", "api-1")]
    followers = [await edge.submit(draft()) for edge in edges for _ in range(5)]
    for accepted in await asyncio.gather(*(read(follower) for follower in followers)):
        assert [one.token_index for one in accepted] == [0, 1]


async def test_a_slow_reader_is_cut_and_others_are_not(
    platform: Platform, draft: MakeDraft, read: Read, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_BUFFERED_FRAMES", 50)

    def many(request: Request) -> list[Step]:
        return words(*["word"] * (200 if request.tenant.project == "slow" else 40))

    await platform.worker(FakeEngine(many, pace=lambda: asyncio.sleep(0.002)))
    edge = await platform.edge()
    slow, quick = await edge.submit(draft("slow")), await edge.submit(draft("quick"))
    assert len(await read(quick)) == 40
    await until(lambda: slow._error)
    with pytest.raises(Unavailable, match="token_index -1"):
        await slow.next(20.0)


async def test_a_submit_that_is_given_up_leaves_no_reader(platform: Platform, draft: MakeDraft, until: Until) -> None:
    edge = await platform.edge()
    submitting = asyncio.create_task(edge.submit(draft()))
    await asyncio.sleep(0)
    submitting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await submitting
    await until(lambda: not edge._followers)


async def test_without_kafka_it_does_not_start_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    ensure = topics.ensure
    monkeypatch.setattr(topics, "ensure", lambda settings: ensure(settings, timeout_s=0.0))
    settings = KafkaSettings(bootstrap_servers="127.0.0.1:1")
    edge = KafkaEdge(settings, ApiSettings(), name="api-0", id_key=b"k" * 32)
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1"):
        await edge.start()


async def test_a_request_that_the_log_can_not_hold_is_refused_and_forgotten(
    platform: Platform, draft: MakeDraft
) -> None:
    edge = await platform.edge()
    with pytest.raises(TooLarge):
        await edge.submit(msgspec.structs.replace(draft(), body=b"x" * kafka.MAX_MESSAGE_BYTES))
    assert not edge._followers


async def test_the_largest_request_passes_through_the_log(platform: Platform, draft: MakeDraft, until: Until) -> None:
    heard: list[int] = []

    def script(request: Request) -> list[Step]:
        heard.append(len(request.body))
        return words("Hello")

    await platform.worker(FakeEngine(script))
    follower = await (await platform.edge()).submit(msgspec.structs.replace(draft(), body=b"x" * (16 << 20)))
    await until(lambda: follower.ended)
    assert heard == [16 << 20]


class Silent:
    """A producer whose acknowledgements come when the test lets them."""

    def __init__(self) -> None:
        self.acknowledged = asyncio.Event()
        self.sent: list[QueueRecord] = []

    def send(self, topic: str, partition: int, value: bytes, headers: Headers = ()) -> "asyncio.Task[int]":
        self.sent.append(codec.decode_queue(value))
        return asyncio.create_task(self._wait())

    async def _wait(self) -> int:
        await self.acknowledged.wait()
        return 0


async def test_what_kafka_does_not_confirm_in_time_is_refused_and_left_should_it_stand(
    platform: Platform, draft: MakeDraft, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    edge = await platform.edge()
    silent = Silent()
    monkeypatch.setattr(kafka_edge, "_PRODUCE_TIMEOUT_S", 0.05)
    with monkeypatch.context() as patch:
        patch.setattr(edge, "_producer", silent)
        async with asyncio.timeout(5):
            with pytest.raises(Unavailable, match="did not confirm"):
                await edge.submit(draft())
        assert not edge._followers
        silent.acknowledged.set()
        await until(lambda: len(silent.sent) == 2)
    asked, left = silent.sent
    assert isinstance(asked, Request)
    assert left == Detach(asked.id, asked.reader)


async def test_a_producer_that_fails_answers_what_it_was_given(
    platform: Platform, draft: MakeDraft, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    edge = await platform.edge()
    failed = edge._producer
    # As after a fatal error, no acknowledgement comes any more.
    monkeypatch.setattr(failed, "_hand_over", lambda *_: None)
    submitting = asyncio.create_task(edge.submit(draft()))
    await until(lambda: failed._sends)
    edge._renew(failed, "a test says so")
    edge._renew(failed, "and again")
    renewed = edge._producer
    assert renewed is not failed
    with pytest.raises(Unavailable, match="given up"):
        await submitting
    assert not edge._followers
    assert await edge.submit(draft())
    assert edge._producer is renewed


async def test_a_reply_partition_that_is_not_there_is_refused(platform: Platform) -> None:
    with pytest.raises(InvalidRequest, match="INFERNO_API__REPLY_PARTITION is 2"):
        await platform.edge(reply_partition=2)
