import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from fake_host import FakeHost
from fake_triton import FakeTriton, said
from listener import Listener
from log_platform import MakeDraft, Until
from msgspec import structs

from inferno_core.errors import Unavailable
from inferno_core.hosts import Host, HostedModel, ModelState
from inferno_core.records import Request
from inferno_stream.engine import Claimed, HostLost, Order, Place
from inferno_stream.fleet import Fleet
from inferno_stream.metrics import Metrics


def report(
    host: FakeHost | FakeTriton, *, incarnation: str = "1", state: ModelState = ModelState.READY, life: str = ""
) -> Host:
    """What an agent says of a host."""
    model = HostedModel("model", "1", state, since=0.0, slots=2, fingerprint="print", life=life)
    return Host(name=f"host-{host.address}", grpc=host.address, http="", incarnation=incarnation, models=(model,))


class Agents:
    """What agents report, and whose presence was said."""

    def __init__(self) -> None:
        self.hosts: Sequence[Host] | None = ()
        self.said: list[Host] = []

    async def read(self) -> Sequence[Host]:
        if self.hosts is None:
            raise Unavailable("Redis did not answer.")
        return self.hosts

    async def publish(self, host: Host) -> None:
        self.said.append(host)


@pytest.fixture
def agents() -> Agents:
    return Agents()


@pytest.fixture
def asked(draft: MakeDraft) -> Request:
    return draft().request("id", "reader", 2_000_000_000_000)


MakeFleet = Callable[..., Fleet]


@pytest_asyncio.fixture
async def make_fleet(agents: Agents) -> AsyncIterator[MakeFleet]:
    async with AsyncExitStack() as stack:

        def make(*urls: str) -> Fleet:
            fleet = Fleet(agents.read, agents.publish, urls, 5.0, Metrics())
            stack.push_async_callback(fleet.close)
            return fleet

        yield make


@pytest.fixture
def fleet(make_fleet: MakeFleet) -> Fleet:
    return make_fleet()


@pytest_asyncio.fixture
async def host() -> AsyncIterator[FakeHost]:
    async with FakeHost(slots=2) as host:
        yield host


async def offered(fleet: Fleet, request: Request, until: Until) -> Place:
    """Wait for a place."""
    found: list[Place] = []

    def find() -> bool:
        found.extend(place for place in [fleet.find(request)] if place)
        return bool(found)

    await until(find)
    return found[0]


def order(request: Request, epoch: int = 1) -> Order:
    return Order(request, "queue/0", epoch)


async def test_a_reported_host_is_opened_and_runs(
    fleet: Fleet, agents: Agents, host: FakeHost, asked: Request, until: Until
) -> None:
    changes: list[bool] = []
    fleet.subscribe(lambda: changes.append(True))
    agents.hosts = [report(host)]
    await fleet.refresh()
    place = await offered(fleet, asked, until)
    assert place == Place(f"host-{host.address}", "life-1", "print", "model", "1")
    assert changes
    listener = Listener()
    fleet.start(order(asked), place, listener)
    await until(lambda: host.running)
    host.step(4)
    await until(lambda: listener.final)


async def test_the_host_with_the_most_room_is_taken_until_all_are_full(
    fleet: Fleet, agents: Agents, host: FakeHost, asked: Request, until: Until
) -> None:
    async with FakeHost(slots=3) as other:
        agents.hosts = [report(host), report(other)]
        await fleet.refresh()
        await until(lambda: all(line.is_open for line in fleet._lines.values()) and len(fleet._lines) == 2)
        places = [fleet.find(asked) for _ in range(6)]
        roomy, small = f"host-{other.address}", f"host-{host.address}"
        assert places[0] is not None
        assert places[0].host == roomy
        assert sorted(place.host for place in places if place) == sorted([roomy] * 3 + [small] * 2)
        assert places[5] is None
        fleet.release(places[0])
        assert fleet.find(asked) == places[0]


async def test_many_choices_may_take_more_than_is_free(
    fleet: Fleet, agents: Agents, host: FakeHost, asked: Request, until: Until
) -> None:
    agents.hosts = [report(host)]
    await fleet.refresh()
    place = await offered(fleet, structs.replace(asked, n=4), until)
    assert place.slots == 4
    assert fleet.find(asked) is None


@pytest.mark.parametrize(
    "changes",
    [{"model": "another"}, {"version": "2"}],
    ids=["model", "version"],
)
async def test_nothing_else_is_offered(
    fleet: Fleet, agents: Agents, host: FakeHost, asked: Request, until: Until, changes: dict[str, str]
) -> None:
    agents.hosts = [report(host)]
    await fleet.refresh()
    await offered(fleet, structs.replace(asked, version=""), until)
    assert fleet.find(structs.replace(asked, **changes)) is None  # type: ignore[arg-type]  # names of one type


async def test_a_stock_triton_is_found_by_its_address_and_said_to_do_completions_alone(
    make_fleet: MakeFleet, agents: Agents, asked: Request, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    async with FakeTriton([said("Paris", "stop")]) as triton:
        fleet = make_fleet(triton.address)
        await fleet.refresh()
        place = await offered(fleet, asked, until)
        assert not place.goes_on
        assert [(host.name, host.models[0].tasks) for host in agents.said] == [(triton.address, ("completion",))]
        assert [record for record in caplog.records if "completions alone" in record.message]
        assert fleet.find(asked, goes_on=True) is None
        listener = Listener()
        plain = structs.replace(asked, surface="completion", body=b'{"prompt":"The capital is"}')
        fleet.start(order(plain), place, listener)
        await until(lambda: listener.final)


async def test_a_triton_of_ours_without_an_agent_says_that_it_chats(
    make_fleet: MakeFleet, agents: Agents, host: FakeHost, asked: Request, until: Until
) -> None:
    fleet = make_fleet(host.address)
    await fleet.refresh()
    assert (await offered(fleet, asked, until)).goes_on
    assert agents.said[0].models[0].tasks == ("chat", "completion")


async def test_a_host_that_fell_silent_is_not_offered_though_it_stays_known_while_redis_is_away(
    fleet: Fleet, agents: Agents, host: FakeHost, asked: Request, until: Until
) -> None:
    agents.hosts = [report(host)]
    await fleet.refresh()
    await offered(fleet, asked, until)
    agents.hosts = None
    await fleet.refresh()
    assert fleet.find(asked) is not None
    agents.hosts = ()
    await fleet.refresh()
    assert fleet.find(asked) is None


async def test_what_runs_on_a_silent_host_runs_on(
    fleet: Fleet, agents: Agents, host: FakeHost, asked: Request, until: Until
) -> None:
    agents.hosts = [report(host)]
    await fleet.refresh()
    listener = Listener()
    fleet.start(order(asked), await offered(fleet, asked, until), listener)
    await until(lambda: host.running)
    for state in (ModelState.LOADING, None):
        agents.hosts = [report(host, state=state)] if state else []
        await fleet.refresh()
        assert fleet.find(asked) is None
    host.step(4)
    await until(lambda: listener.final)


@pytest.mark.parametrize("change", [{"incarnation": "2"}, {"life": "two"}], ids=["host", "engine"])
async def test_what_is_in_another_life_has_lost_what_ran_and_is_opened_anew(
    fleet: Fleet, agents: Agents, host: FakeHost, asked: Request, until: Until, change: dict[str, str]
) -> None:
    agents.hosts = [report(host, life="one")]
    await fleet.refresh()
    listener = Listener()
    fleet.start(order(asked), await offered(fleet, asked, until), listener)
    host.restart_engine()
    agents.hosts = [report(host, **change)]  # type: ignore[arg-type]  # names of one type
    await fleet.refresh()
    assert isinstance(listener.errors[0], HostLost)
    await fleet.refresh()
    assert (await offered(fleet, asked, until)).incarnation == "life-1+"


async def test_owners_are_named_to_every_host_those_that_come_later_included(
    fleet: Fleet, agents: Agents, host: FakeHost, asked: Request, until: Until
) -> None:
    fleet.fence("queue/0", 4)
    fleet.fence("queue/1", 5)
    fleet.forget("queue/1")
    agents.hosts = [report(host)]
    await fleet.refresh()
    await offered(fleet, asked, until)
    fleet.fence("queue/2", 6)
    (line,) = fleet._lines.values()
    await until(lambda: line.has_fenced("queue/0") and line.has_fenced("queue/2"))
    assert not line.has_fenced("queue/1")


async def test_who_takes_over_waits_until_the_claimed_host_knows_of_it_and_needs_no_room(
    fleet: Fleet, agents: Agents, host: FakeHost, asked: Request, until: Until
) -> None:
    agents.hosts = [report(host)]
    await fleet.refresh()
    claimed = Claimed("queue/0", f"host-{host.address}", "life-1")
    assert fleet.find(asked, claimed=claimed) is None
    for _ in range(2):
        await offered(fleet, asked, until)
    assert fleet.find(asked, claimed=claimed) is None
    fleet.fence("queue/0", 7)
    await until(lambda: fleet.find(asked, claimed=claimed))
    place = fleet.find(asked, claimed=claimed)
    assert place is not None
    assert (place.runs, place.slots) == (True, 0)


async def test_what_ran_in_another_life_or_elsewhere_is_not_waited_for(
    fleet: Fleet, agents: Agents, host: FakeHost, asked: Request, until: Until
) -> None:
    agents.hosts = [report(host)]
    await fleet.refresh()
    await offered(fleet, asked, until)
    place = fleet.find(asked, claimed=Claimed("queue/0", f"host-{host.address}", "life-0"))
    assert place is not None
    assert not place.runs
    fleet.release(place)
    assert fleet.find(asked, claimed=Claimed("queue/0", "host-dead", "life-1")) == place


async def test_a_place_on_a_host_that_was_given_up_is_no_more(
    fleet: Fleet, agents: Agents, host: FakeHost, asked: Request, until: Until
) -> None:
    agents.hosts = [report(host)]
    await fleet.refresh()
    place = await offered(fleet, asked, until)
    agents.hosts = []
    await fleet.refresh()
    with pytest.raises(HostLost):
        fleet.start(order(asked), place, Listener())
    fleet.release(place)


async def test_connections_to_hosts_that_are_gone_are_closed_and_others_opened(
    fleet: Fleet, agents: Agents, host: FakeHost, asked: Request, until: Until
) -> None:
    agents.hosts = [report(host)]
    await fleet.refresh()
    listener = Listener()
    fleet.start(order(asked), await offered(fleet, asked, until), listener)
    await until(lambda: host.running)
    async with FakeHost() as heir:
        agents.hosts = [report(heir)]
        for _ in range(3):
            await fleet.refresh()
        assert host.address in fleet._tritons
        host.step(4)
        await until(lambda: listener.final)

        async def left() -> bool:
            await fleet.refresh()
            return host.address not in fleet._tritons and not host.streams

        async with asyncio.timeout(10):
            while not await left():  # noqa: ASYNC110 - the fleet is told of hosts by asking
                await asyncio.sleep(0.01)
        assert (await offered(fleet, asked, until)).host == f"host-{heir.address}"


async def test_a_host_whose_agent_knows_no_life_of_it_keeps_what_runs(
    fleet: Fleet, agents: Agents, host: FakeHost, asked: Request, until: Until
) -> None:
    agents.hosts = [report(host)]
    await fleet.refresh()
    listener = Listener()
    fleet.start(order(asked), await offered(fleet, asked, until), listener)
    await until(lambda: host.running)
    agents.hosts = [structs.replace(report(host, incarnation=""), models=())]
    await fleet.refresh()
    assert fleet.find(asked) is None
    agents.hosts = [report(host)]
    await fleet.refresh()
    host.step(4)
    await until(lambda: listener.final)
    assert listener.errors == []


async def test_a_model_that_retires_is_left(
    fleet: Fleet, agents: Agents, host: FakeHost, asked: Request, until: Until
) -> None:
    agents.hosts = [report(host)]
    await fleet.refresh()
    await offered(fleet, asked, until)
    host.retire()
    await until(lambda: not fleet._lines)
    assert fleet.find(asked) is None


async def test_a_stock_backend_that_its_agent_gave_up_has_lost_what_ran(
    fleet: Fleet, agents: Agents, asked: Request, until: Until
) -> None:
    async with FakeTriton([said("Par"), asyncio.Event(), said("is", "stop")]) as triton:
        agents.hosts = [report(triton)]
        await fleet.refresh()
        listener = Listener()
        plain = structs.replace(asked, surface="completion", body=b'{"prompt":"The capital is"}')
        fleet.start(order(plain), await offered(fleet, asked, until), listener)
        await until(lambda: listener.frames)
        agents.hosts = [report(triton, state=ModelState.RETIRING)]
        await fleet.refresh()
        assert listener.errors == []
        agents.hosts = [report(triton, state=ModelState.LOADING)]
        await fleet.refresh()
        await until(lambda: listener.errors)
        assert isinstance(listener.errors[0], HostLost)
