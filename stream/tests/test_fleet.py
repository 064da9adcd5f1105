import asyncio
import json
from collections.abc import Sequence
from contextlib import aclosing

import pytest
from fake_triton import FakeTriton, usage, words
from log_platform import MakeDraft, Until

from inferno_core.effects import EngineFrame
from inferno_core.errors import EngineFailed, InvalidRequest, Unavailable
from inferno_core.hosts import Host, HostedModel, ModelState
from inferno_core.records import Outcome, Request, Usage
from inferno_stream.engine import HostLost
from inferno_stream.fleet import Fleet


def host(address: str, *, incarnation: str = "1", slots: int = 2, state: ModelState = ModelState.READY) -> Host:
    model = HostedModel("model", "1", state, since=0.0, slots=slots, fingerprint="print")
    return Host(name=f"host-{address}", grpc=address, http="", incarnation=incarnation, models=(model,))


class Agents:
    """What agents report."""

    def __init__(self, *hosts: Host) -> None:
        self.hosts: Sequence[Host] | None = hosts

    async def read(self) -> Sequence[Host]:
        if self.hosts is None:
            raise Unavailable("Redis did not answer.")
        return self.hosts


async def silent(host: Host) -> None:
    """Say nobody's presence."""


@pytest.fixture
def request_(draft: MakeDraft) -> Request:
    return draft().request("id", "reader", 0)


async def run(fleet: Fleet, request: Request) -> list[EngineFrame]:
    place = fleet.find(request)
    assert place is not None
    frames: list[EngineFrame] = []
    async with aclosing(fleet.generate(request, place)) as steps:
        async for step in steps:
            frames += step
    fleet.release(place)
    return frames


async def test_words_of_our_backend_become_frames(request_: Request) -> None:
    last = words("c", finish="stop") | usage(3, 3)
    async with FakeTriton([words("a", "b"), last]) as triton:
        fleet = Fleet(Agents(host(triton.address)).read, silent, (), 5.0)
        await fleet.refresh()
        frames = await run(fleet, request_)
        await fleet.close()
    assert [frame.tokens for frame in frames] == [(0, 1), (0,)]
    assert json.loads(frames[0].delta)["delta"]["content"] == "ab"
    assert frames[1].finish == "stop"
    assert frames[1].final is not None
    assert frames[1].final.usage == Usage(3, 3)
    asked = triton.asked[0]
    assert [tensor.name for tensor in asked.inputs] == ["openai_surface", "openai_body", "generation_id"]


async def test_an_end_without_words_is_a_frame_of_its_own(request_: Request) -> None:
    async with FakeTriton([words("a", finish="stop"), usage(1, 1)]) as triton:
        fleet = Fleet(Agents(host(triton.address)).read, silent, (), 5.0)
        await fleet.refresh()
        frames = await run(fleet, request_)
        await fleet.close()
    assert [(frame.choice, frame.final is not None) for frame in frames] == [(0, False), (-1, True)]


async def test_the_engines_refusal_keeps_its_code_and_field(request_: Request) -> None:
    error = {"code": "context_length_exceeded", "message": "Too long.", "param": "messages"}
    async with FakeTriton([{"error": [json.dumps(error)]}]) as triton:
        fleet = Fleet(Agents(host(triton.address)).read, silent, (), 5.0)
        await fleet.refresh()
        with pytest.raises(InvalidRequest) as refused:
            await run(fleet, request_)
        await fleet.close()
    assert (refused.value.code, refused.value.param) == ("context_length_exceeded", "messages")


async def test_tritons_own_words_are_not_shown(request_: Request) -> None:
    async with FakeTriton([{"refused": "/secret/path is broken"}]) as triton:
        fleet = Fleet(Agents(host(triton.address)).read, silent, (), 5.0)
        await fleet.refresh()
        with pytest.raises(EngineFailed) as failed:
            await run(fleet, request_)
        await fleet.close()
    assert "secret" not in failed.value.message


async def test_leaving_cuts_the_stream(request_: Request) -> None:
    async with FakeTriton([words("a"), asyncio.Event(), usage(1, 1)]) as triton:
        fleet = Fleet(Agents(host(triton.address)).read, silent, (), 5.0)
        await fleet.refresh()
        place = fleet.find(request_)
        assert place is not None
        async with aclosing(fleet.generate(request_, place)) as steps:
            await anext(steps)
        async with asyncio.timeout(5):
            await triton.cancelled.wait()
        await fleet.close()


@pytest.mark.parametrize("change", [{"incarnation": "2"}, {"state": ModelState.LOADING}], ids=["restarted", "reloaded"])
async def test_a_run_on_an_engine_that_is_gone_fails(request_: Request, change: dict[str, object]) -> None:
    async with FakeTriton([words("a"), asyncio.Event(), usage(1, 1)]) as triton:
        agents = Agents(host(triton.address))
        fleet = Fleet(agents.read, silent, (), 5.0)
        await fleet.refresh()
        place = fleet.find(request_)
        assert place is not None
        async with aclosing(fleet.generate(request_, place)) as steps:
            await anext(steps)
            agents.hosts = ()
            await fleet.refresh()
            agents.hosts = None
            await fleet.refresh()
            agents.hosts = (host(triton.address, **change),)  # type: ignore[arg-type]  # one keyword of two types
            await fleet.refresh()
            with pytest.raises(EngineFailed, match="is gone"):
                await anext(steps)
        await fleet.close()


async def test_a_host_that_dies_fails_its_runs(request_: Request) -> None:
    async with FakeTriton([words("a"), asyncio.Event(), usage(1, 1)]) as triton:
        fleet = Fleet(Agents(host(triton.address)).read, silent, (), 5.0)
        await fleet.refresh()
        place = fleet.find(request_)
        assert place is not None
        steps = fleet.generate(request_, place)
        await anext(steps)
    with pytest.raises(EngineFailed):
        await anext(steps)
    await fleet.close()


async def test_the_host_that_runs_least_is_taken_until_all_are_full(request_: Request) -> None:
    fleet = Fleet(Agents(host("a:1"), host("b:1")).read, silent, (), 5.0)
    await fleet.refresh()
    places = [fleet.find(request_) for _ in range(5)]
    assert [place.host if place else None for place in places] == [
        "host-a:1",
        "host-b:1",
        "host-a:1",
        "host-b:1",
        None,
    ]
    assert places[1] is not None
    fleet.release(places[1])
    assert fleet.find(request_) == places[1]


async def test_a_stock_triton_is_found_by_its_address_and_does_completions_alone(
    draft: MakeDraft, until: Until
) -> None:
    answers = [
        {"text_output": [text], "num_output_tokens": [2], "num_input_tokens": [3], "finish_reason": [reason]}
        for text, reason in (("Par", "None"), ("is", "stop"))
    ]
    chat = draft().request("id", "reader", 0)
    async with FakeTriton(answers, stock=True) as triton:
        said: list[Host] = []

        async def publish(host: Host) -> None:
            said.append(host)

        fleet = Fleet(Agents().read, publish, (triton.address,), 5.0)
        await fleet.refresh()
        assert [(host.name, host.models[0].tasks) for host in said] == [(triton.address, ("completion",))]
        with pytest.raises(InvalidRequest, match="stock vLLM backend"):
            await run(fleet, chat)
        body = json.dumps({"prompt": "The capital is", "max_tokens": 4, "top_p": 0.5}).encode()
        plain = Request("id", "completion", body, "model", "", chat.tenant, "reader", 0, seed=7)
        frames = await run(fleet, plain)
        await fleet.close()
    assert [json.loads(frame.delta)["text"] for frame in frames] == ["Par", "is"]
    assert frames[-1].final is not None
    assert frames[-1].final.outcome is Outcome.FINISHED
    assert frames[-1].final.usage == Usage(3, 4)
    sampling = triton.asked[0].raw_input_contents[3][4:]
    assert json.loads(sampling) == {"max_tokens": 4, "top_p": 0.5, "seed": 7}


async def test_a_host_that_fell_silent_is_not_offered_though_it_stays_known_while_redis_is_away(
    request_: Request,
) -> None:
    agents = Agents(host("a:1"))
    fleet = Fleet(agents.read, silent, (), 5.0)
    await fleet.refresh()
    agents.hosts = None
    await fleet.refresh()
    assert fleet.find(request_) is not None
    agents.hosts = ()
    await fleet.refresh()
    assert fleet.find(request_) is None


async def test_a_host_that_lost_a_run_is_not_offered_for_a_while(request_: Request) -> None:
    async with FakeTriton([{"refused": "the stub is dead"}]) as triton:
        fleet = Fleet(Agents(host(triton.address)).read, silent, (), 5.0)
        await fleet.refresh()
        with pytest.raises(HostLost):
            await run(fleet, request_)
        assert fleet.find(request_) is None
        await fleet.close()
