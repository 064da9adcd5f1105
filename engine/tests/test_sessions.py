"""Sessions on a real Triton, with the synthetic engine. The rules are those of docs/engine.md.

Rule 6, on versions, is shown in test_isolation; what rule 8 says of shared memory in test_synthetic_served.
"""

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from conftest import serve_synthetic
from serving import Server, ask, ended
from session_client import Heard, Session

from inferno_core import session as wire
from inferno_engine.synthetic import request

pytestmark = pytest.mark.stack

WIDE = {"max_num_seqs": 512, "kv_cache_tokens": 1 << 24, "prefill_tokens_per_step": 1 << 16}
QUIET_S = 2.5


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Triton whose synthetic model makes steps of 5 ms and has 512 slots."""
    with serve_synthetic(tmp_path_factory.mktemp("sessions"), step_ms=5, **WIDE) as server:
        yield server


@pytest.fixture
def own_host(tmp_path: Path) -> Iterator[Server]:
    """One of a test's own, to be harmed."""
    with serve_synthetic(tmp_path / "own", {"step_deadline_s": "2"}, step_ms=5, faults=True, **WIDE) as server:
        yield server


@contextlib.contextmanager
def session(server: Server, name: str = "", **more: object) -> Iterator[Session]:
    opened = Session(server.address, name or os.urandom(4).hex(), **more)  # type: ignore[arg-type]  # by name
    try:
        yield opened
    finally:
        opened.close()


def messages(number: int) -> list[dict[str, str]]:
    return [{"role": "user", "content": f"Tale number {number}."}]


def bodies(count: int, tokens: int, prefix: str = "g", **more: object) -> dict[str, bytes]:
    """Chats of so many tokens, each of its own words, by the ids they get."""
    prefix = f"{prefix}-{os.urandom(4).hex()}"
    asked = {"max_tokens": tokens, "temperature": 0, **more}
    return {
        f"{prefix}-{number}": json.dumps({"messages": messages(number), **asked}).encode() for number in range(count)
    }


def check(heard: Sequence[Heard], tokens: int) -> None:
    """See that every generation has each of its tokens once and in order, and ended well."""
    for number, each in enumerate(heard):
        (answer,) = request.chat({"messages": messages(number), "max_tokens": tokens, "temperature": 0}).answers(8192)
        assert each.tokens() == list(answer.tokens), number
        assert each.text() == answer.text
        assert each.failure is None
        assert each.usage is not None
        assert each.usage.completion_tokens == tokens


# What a session is


def test_all_generations_of_a_session_come_by_the_step(host: Server):
    with session(host) as mine:
        handles = mine.submits(bodies(64, 50))
        mine.until_ended(handles)
        check([mine.heard[handle] for handle in handles], 50)
        told = [message for message in mine.log if message.frames is not None]
        assert len(told) < 2 * 50 + 10
        assert max(len(message.frames.handles) for message in told if message.frames) >= 64


def test_the_stock_contract_goes_on_beside_it(host: Server):
    with session(host) as mine:
        handles = mine.submits(bodies(8, 100))
        answer = ask(host.address, "synthetic", text_input="Hello", sampling_parameters='{"max_tokens": 5}')
        assert answer.all("text_output")
        mine.until_ended(handles)


def test_the_stock_contract_takes_tokens_and_gives_them(host: Server):
    text = "The most dangerous animal is"
    sampling = json.dumps({"max_tokens": 5, "temperature": 0})
    asked = request.stock(text, json.loads(sampling)).answers(8192)[0]
    answer = ask(
        host.address, "synthetic", text_input=text, stream=True, sampling_parameters=sampling, return_token_ids=True
    )
    assert answer.all("token_ids") == list(asked.tokens)
    ids = [5, 6, 7]
    answer = ask(host.address, "synthetic", input_ids=ids, sampling_parameters=sampling, return_token_ids=True)
    assert answer.all("token_ids") == list(request.stock(ids, json.loads(sampling)).answers(8192)[0].tokens)


def test_what_is_refused_is_told_of_that_generation_alone(host: Server):
    with session(host) as mine:
        good = bodies(1, 5)
        (fine,) = mine.submits(good)
        wrong = mine.submits({"no json": b"{", "no messages": b"{}", "too long": next(iter(bodies(1, 9000).values()))})
        mine.until_ended([fine, *wrong])
        assert mine.heard[fine].usage is not None
        codes = [failure.code for handle in wrong if (failure := mine.heard[handle].failure) is not None]
        assert codes == ["invalid_request", "invalid_request", "context_length_exceeded"]


def test_a_deadline_ends_a_generation(host: Server):
    with session(host) as mine:
        (handle,) = mine.submits(bodies(1, 5000), deadline_s=0.3)
        mine.until_ended([handle])
        heard = mine.heard[handle]
        assert heard.failure is not None
        assert heard.failure.code == "deadline_exceeded"
        assert heard.tokens()


def test_what_is_cancelled_frees_its_slot_and_is_not_spoken_of(host: Server):
    with session(host) as mine:
        handles = mine.submits(bodies(512, 5000))
        mine.until(lambda: mine.room == 0 and len(mine.heard) == 512)
        mine.command(wire.Cancel(tuple(handles)))
        mine.until(lambda: mine.room >= 500, timeout_s=2)
        said = {handle: len(mine.heard[handle].frames) for handle in handles}
        again = mine.submits(bodies(4, 10))
        mine.until_ended(again)
        assert said == {handle: len(mine.heard[handle].frames) for handle in handles}


def test_nobody_can_kill_the_stub_with_a_request(host: Server):
    stubs = host.stubs()
    with session(host) as mine:
        for name in (wire.ATTACH_INPUT, wire.COMMANDS_INPUT):
            for wrong in ("", "nonsense", "\x93\x00"):
                assert "can't be read" in ask(host.address, "synthetic", **{name: wrong}).error
        mine.command(wire.Cancel((1, 2, 3)), wire.Release((9,)), wire.Ack(1 << 40))
        handles = mine.submits(bodies(2, 5))
        mine.until_ended(handles)
    assert host.stubs() == stubs


# Rule 1: credits


def test_a_stalled_worker_slows_neither_the_engine_nor_another(host: Server):
    with session(host, window_bytes=64 << 10) as stalled, session(host) as well:
        stalled.attached.reading.clear()
        slow = stalled.submits(bodies(128, 400))
        begun = time.monotonic()
        quick = well.submits(bodies(64, 400))
        well.until_ended(quick)
        took_s = time.monotonic() - begun
        check([well.heard[handle] for handle in quick], 400)
        # 400 steps of 5 ms are 2 s; a share of the machine is all that two sessions take from each other.
        assert took_s < 8
        # No more than its window was sent to who does not read.
        assert sum(len(wire.encode(message)) for message in stalled.log) < 3 * (64 << 10)
        stalled.attached.reading.set()
        stalled.until_ended(slow)
        check([stalled.heard[handle] for handle in slow], 400)


# Rule 2: rotation


def test_an_old_attach_gives_way_to_another_and_nothing_is_lost(host: Server):
    """By bytes, since by time it takes a minute: log-probabilities make it quick."""
    with session(host, keeps=False, window_bytes=64 << 20) as mine:
        handles = mine.submits(bodies(256, 800, logprobs=True, top_logprobs=5))
        mine.until_ended(handles, timeout_s=100)
        assert mine.rotations
        for handle in handles:
            assert len(mine.heard[handle].tokens()) == 800


# Rule 3: one send for the last message and FINAL


def test_hanging_up_while_final_comes_leaves_the_model_free(own_host: Server):
    """Each attach is replaced by another, and its worker hangs up at that very moment."""
    mine = Session(own_host.address, "racing")
    handles = mine.submits(bodies(64, 5000))
    mine.until(lambda: len(mine.heard) == 64)
    for number in range(200):
        former, life = mine.attached, len(mine.log)
        mine.attach()
        former.cut()
        mine.until(lambda life=life: len(mine.log) > life)
        if not number % 20:
            former = mine.attached
            mine.attach()
            assert former.ended.wait(10)
    mine.command(wire.Cancel(tuple(handles)))
    mine.close()
    own_host.unload("synthetic")


# Rule 4: heartbeats, and the ends of processes


def test_heartbeats_come_under_a_full_window(host: Server):
    with session(host, window_bytes=1, acks=False) as mine:
        mine.submits(bodies(4, 5000))
        mine.until(lambda: mine.seen)
        before = len(mine.log)
        mine.until(lambda: len(mine.log) >= before + 3, timeout_s=6)
        assert all(message.number == 0 and message.frames is None for message in mine.log[before:])


def test_a_killed_stub_is_noticed_by_its_silence_and_its_generations_go_on_after_a_reload(own_host: Server):
    mine = Session(own_host.address, "mourning")
    asked = bodies(32, 600)
    handles = mine.submits(asked)
    mine.until(lambda: all(len(mine.heard[handle].tokens()) > 50 for handle in handles))
    life = mine.life
    (stub,) = own_host.stubs()
    os.kill(stub, signal.SIGKILL)
    killed_at = time.monotonic()
    assert ended([stub], 5)
    # Nothing comes: neither an error nor an end.
    assert not mine.attached.ended.wait(QUIET_S)
    assert mine.came_at < killed_at + 1
    mine.attached.cut()
    mine.close_control()
    own_host.unload("synthetic")
    own_host.load("synthetic")
    mine.attach()
    mine.until(lambda: mine.life != life)
    assert mine.fresh
    again = [
        _go_on(mine, id, body, mine.heard[handle]) for handle, (id, body) in zip(handles, asked.items(), strict=True)
    ]
    mine.until_ended(again)
    for handle, later in zip(handles, again, strict=True):
        mine.heard[later].frames[:0] = mine.heard[handle].frames
    check([mine.heard[handle] for handle in again], 600)
    mine.close()


def _go_on(session: Session, id: str, body: bytes, heard: Heard) -> int:
    accepted = tuple(wire.Piece(choice, tuple(tokens)) for choice, tokens, _, _ in heard.frames)
    (handle,) = session.submits({id: body}, accepted=accepted)
    return handle


def test_killing_tritonserver_ends_its_stub_and_is_seen_at_once(own_host: Server):
    mine = Session(own_host.address, "bereaved")
    mine.submits(bodies(64, 5000))
    mine.until(lambda: len(mine.heard) == 64)
    stubs = own_host.stubs()
    killed_at = time.monotonic()
    own_host.process.kill()
    assert mine.attached.ended.wait(2)
    assert time.monotonic() - killed_at < 1
    assert ended(stubs, 5)
    mine.close()


def test_an_engine_that_makes_no_step_is_given_up_and_all_are_told(own_host: Server):
    mine = Session(own_host.address, "waiting")
    (stub,) = own_host.stubs()
    handles = mine.submits(bodies(8, 5000))
    mine.until(lambda: len(mine.heard) == 8)
    fault = {"kind": "hang", "token": 3}
    handles += mine.submits(bodies(1, 50, "hanging", synthetic_fault=fault))
    mine.until_ended(handles, timeout_s=15)
    assert {failure.code for h in handles if (failure := mine.heard[h].failure) is not None} == {"engine_lost"}
    mine.until(lambda: mine.attached.bye == "retiring")
    assert ended([stub], 10)
    mine.close()


# Rule 5: draining


def test_a_model_that_is_unloaded_says_all_and_takes_leave(own_host: Server):
    mine = Session(own_host.address, "draining", window_bytes=1 << 10, acks=True)
    handles = mine.submits(bodies(128, 800))
    mine.until(lambda: all(mine.heard[handle].tokens() for handle in handles))
    unloading = threading.Thread(target=own_host.unload, args=("synthetic", 60))
    unloading.start()
    mine.until(lambda: mine.attached.bye, timeout_s=60)
    assert mine.attached.bye == "retiring"
    check([mine.heard[handle] for handle in handles], 800)
    mine.attached.ended.wait(5)
    mine.close()
    unloading.join(20)
    assert not unloading.is_alive()


def test_so_does_a_triton_that_is_asked_to_end(own_host: Server):
    mine = Session(own_host.address, "ending")
    handles = mine.submits(bodies(64, 800))
    mine.until(lambda: all(mine.heard[handle].tokens() for handle in handles))
    stubs = own_host.stubs()
    own_host.process.terminate()
    mine.until(lambda: mine.attached.bye == "retiring", timeout_s=30)
    check([mine.heard[handle] for handle in handles], 800)
    mine.close()
    assert ended(stubs, 15)


# Rule 7: who has gone


def test_a_worker_that_has_gone_is_noticed_and_its_generations_are_stopped_after_the_grace(host: Server):
    with session(host) as watching:
        mine = Session(host.address, "gone for good")
        mine.submits(bodies(400, 8000))
        mine.until(lambda: len(mine.heard) == 400)
        watching.until(lambda: watching.room < 120)
        mine.attached.cut()
        watching.until(lambda: watching.room >= 500, timeout_s=wire.GRACE_S + 5)
        mine.attach()
        mine.until(lambda: mine.fresh and mine.room)
        mine.close()


# Breaks


def test_twenty_breaks_lose_nothing(host: Server):
    """64 generations of 800 tokens; the attach is cut, or the whole connection lost."""
    with session(host) as mine:
        handles = mine.submits(bodies(64, 800))
        for number in range(20):
            seen = mine.seen
            mine.until(lambda seen=seen: mine.seen > seen + 5)
            if number % 2:
                mine.lose_connection()
            else:
                mine.attached.cut()
                mine.attach()
            mine.until(lambda: mine.came_at and mine.attached.bye == "")
        mine.until_ended(handles)
        assert not mine.fresh
        check([mine.heard[handle] for handle in handles], 800)


# Fencing and adoption


def test_a_lower_epoch_is_refused(host: Server):
    with session(host) as former, session(host) as later:
        partition = "q/fenced"
        asked = bodies(1, 2000)
        (handle,) = former.submits(asked, partition=partition, epoch=3)
        former.until(lambda: former.heard[handle].tokens())
        later.command(wire.Fence(partition, 4))
        later.until(lambda: later.told_heard == 1)
        former.command(wire.Cancel((handle,)))
        (refused,) = former.submits(bodies(1, 5), partition=partition, epoch=3)
        former.until_ended([refused])
        failure = former.heard[refused].failure
        assert failure is not None
        assert failure.code == "fenced"
        (adopted,) = later.adopts({next(iter(asked)): former.heard[handle]}, partition, epoch=4)
        later.until(lambda: later.heard[adopted].adopted is not None)
        assert later.heard[adopted].adopted
        later.command(wire.Cancel((adopted,)))
        later.until(lambda: later.room > 200)


def test_five_hundred_are_adopted_token_for_token(host: Server):
    partition = "q/adopted"
    with session(host, acks=False, window_bytes=64 << 20) as former, session(host) as later:
        asked = bodies(500, 400)
        handles = former.submits(asked, partition=partition)
        former.until(lambda: all(len(former.heard[handle].tokens()) > 100 for handle in handles))
        with former.changed:
            log = {id: Heard(list(former.heard[handle].frames)) for id, handle in zip(asked, handles, strict=True)}
        begun = time.monotonic()
        adopted = later.adopts(log, partition)
        later.until(lambda: all(later.heard[handle].adopted is not None for handle in adopted))
        took_s = time.monotonic() - begun
        assert all(later.heard[handle].adopted for handle in adopted)
        later.until_ended(adopted)
        for before, handle in zip(log.values(), adopted, strict=True):
            later.heard[handle].frames[:0] = before.frames
        check([later.heard[handle] for handle in adopted], 400)
        assert took_s < 2


# Memory


@pytest.mark.stress
@pytest.mark.timeout(900)
def test_ten_million_tokens_leave_no_trace(tmp_path: Path):
    with (
        serve_synthetic(tmp_path / "unpaced", step_ms=0, **WIDE) as server,
        session(server, keeps=False) as mine,
    ):
        _generate(mine, 1_000_000)
        before = server.rss_bytes()
        _generate(mine, 9_000_000)
        assert mine.rotations
        assert server.rss_bytes() - before < 100 << 20


def _generate(session: Session, tokens: int) -> None:
    """Have 512 generations at a time make so many tokens in all; what was heard of them is not kept."""
    made = 0
    while made < tokens:
        handles = session.submits(bodies(512, 2000))
        session.until_ended(handles, timeout_s=300)
        with session.changed:
            made += sum(len(session.heard[handle].tokens()) for handle in handles)
            session.heard.clear()
    assert made == -(-tokens // (512 * 2000)) * 512 * 2000
