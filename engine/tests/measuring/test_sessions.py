import pytest
from serving import Server

from inferno_core.errors import InfernoError
from inferno_engine.measuring import sessions
from inferno_engine.measuring.load import Load


async def test_a_load_is_generated_whole(synthetic: Server):
    async with sessions.connected(synthetic.address, "synthetic") as session:
        measured = await session.run(Load(streams=16, tokens=5))
        assert measured.tokens == 80
        assert measured.rate > 0


async def test_more_than_the_host_has_room_for_waits_its_turn(synthetic: Server):
    """The synthetic model runs 64 at once."""
    async with sessions.connected(synthetic.address, "synthetic") as session:
        assert (await session.run(Load(streams=100, tokens=2))).tokens == 200


async def test_a_greedy_answer_is_the_same_each_time(synthetic: Server):
    body = {"messages": [{"role": "user", "content": "Again."}], "max_tokens": 6, "temperature": 0}
    async with sessions.connected(synthetic.address, "synthetic") as session:
        first, second = await session.answers([body, body])
        assert list(first) == list(second)


async def test_a_refusal_ends_the_measurement(synthetic: Server):
    async with sessions.connected(synthetic.address, "synthetic") as session:
        with pytest.raises(InfernoError):
            await session.answers([{"messages": 3}])


async def test_a_host_that_is_not_there_is_said():
    with pytest.raises(InfernoError, match="The host is gone"):
        async with sessions.connected("127.0.0.1:1", "synthetic"):
            pass
