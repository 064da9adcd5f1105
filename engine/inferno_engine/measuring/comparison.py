"""Our Triton in session form against the same engine without Triton, and against vLLM's own HTTP server.

python -m inferno_engine.measuring.comparison --output figures.json

All four are loaded at once and measured in turn, in one run, so that the machine's moods touch all alike; whoever
is not measured stands still.
"""

import argparse
import asyncio
import itertools
import os
import sys
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from inferno_engine import environment, weights
from inferno_engine.environment import Environment
from inferno_engine.measuring import api_server, engine_process, host
from inferno_engine.measuring.host import Version
from inferno_engine.measuring.load import Driver, Load
from inferno_engine.measuring.processes import Process
from inferno_engine.measuring.sessions import SessionDriver

_CHECKOUT = Path(__file__).resolve().parents[3]
_MODEL = _CHECKOUT / "model_repository" / "smollm2"
_LOADS = ((1, 64), (8, 48), (32, 32))
_LOAD_TIMEOUT_S = 1200.0
_IDLE_S = 3.0
OURS = "session"


class Engine(NamedTuple):
    """An engine that can be measured, and its process. `still`: it is stopped while others are measured."""

    name: str
    driver: Driver
    process: Process
    still: bool


Kind = Callable[[str, Environment, Path, Path, Mapping[str, Any]], AbstractAsyncContextManager[Engine]]
"""Loads an engine under a name, in a folder, with the weights and arguments that are given."""


class Figures(Struct, frozen=True):
    """What was measured: tokens a second by engine and number of streams, a value a round; CPU of each while idle."""

    rates: dict[str, dict[int, list[float]]]
    idle_cpu: dict[str, float]

    def ratios(self) -> dict[str, dict[int, float]]:
        """Give how many times faster sessions are than each other engine: the median over rounds."""
        ours = self.rates[OURS]
        return {
            name: {
                streams: median(mine / other for mine, other in zip(ours[streams], theirs, strict=True))
                for streams, theirs in rates.items()
            }
            for name, rates in self.rates.items()
            if name != OURS
        }

    def markdown(self) -> str:
        """Give both as tables."""
        streams = list(self.rates[OURS])
        head = ["| " + " | ".join((title, *(f"{count} streams" for count in streams))) + " |" for title in _TITLES]
        rule = "|---" * (len(streams) + 1) + "|"
        rates = [_row(name, {at: median(each) for at, each in told.items()}, 1) for name, told in self.rates.items()]
        ratios = [_row(f"session ÷ {name}", told, 2) for name, told in self.ratios().items()]
        return "\n".join((head[0], rule, *rates, "", head[1], rule, *ratios))


_TITLES = ("tok/s, median", "ratio, median of rounds")


async def measure(engines: Sequence[Engine], loads: Sequence[tuple[int, int]], rounds: int) -> Figures:
    """Measure all engines in turn, `rounds` times; another one begins each time."""
    rates: dict[str, dict[int, list[float]]] = {each.name: {at: [] for at, _ in loads} for each in engines}
    idle = {each.name: await _idle_cpu(each) for each in engines}
    for round, (streams, tokens) in itertools.product(range(rounds + 1), loads):
        turn = round % len(engines)
        for each in (*engines[turn:], *engines[:turn]):
            async with _awake(each):
                measured = await each.driver.run(Load(streams, tokens, round))
            # The first round only warms up.
            if round:
                rates[each.name][streams].append(measured.rate)
            sys.stderr.write(f"round {round}, {streams} streams: {each.name} {measured.rate:.1f} tok/s\n")
    return Figures(rates, idle)


@asynccontextmanager
async def _awake(engine: Engine) -> AsyncGenerator[None]:
    if engine.still:
        engine.process.pause(False)
    try:
        yield
    finally:
        if engine.still:
            engine.process.pause(True)


async def _idle_cpu(engine: Engine) -> float:
    """Give the share of a core that an engine takes while it has nothing to do."""
    async with _awake(engine):
        before = engine.process.cpu_s()
        await asyncio.sleep(_IDLE_S)
        return (engine.process.cpu_s() - before) / _IDLE_S


@asynccontextmanager
async def _all(names: Sequence[str], arguments: Mapping[str, Any], folder: Path) -> AsyncGenerator[Sequence[Engine]]:
    """Load the engines that are named, one after the other."""
    made = await asyncio.to_thread(environment.ensure_vllm_environment, _CHECKOUT)
    model = (await asyncio.to_thread(weights.ensure_smollm2, _CHECKOUT, made)).path
    async with AsyncExitStack() as stack:
        engines: list[Engine] = []
        for name in names:
            engine = await stack.enter_async_context(_KINDS[name](name, made, folder / name, model, arguments))
            if engine.still:
                engine.process.pause(True)
            engines.append(engine)
        yield engines


@asynccontextmanager
async def _session(
    name: str, made: Environment, folder: Path, model: Path, arguments: Mapping[str, Any]
) -> AsyncGenerator[Engine]:
    version = _version(model, arguments)
    async with host.serve(name, made, folder, version, _LOAD_TIMEOUT_S) as served:
        yield Engine(name, SessionDriver(served.address, served.model), served.process, still=False)


@asynccontextmanager
async def _in_process(
    name: str, made: Environment, folder: Path, model: Path, arguments: Mapping[str, Any]
) -> AsyncGenerator[Engine]:
    async with engine_process.serve(name, made, folder, _version(model, arguments)) as engine:
        yield Engine(name, engine, engine.process, still=False)


def _api(given: Callable[[Mapping[str, Any]], Mapping[str, Any]], **variables: str) -> Kind:
    """Give what serves with vLLM's own server, with the arguments that are `given` of ours."""

    @asynccontextmanager
    async def opened(
        name: str, made: Environment, folder: Path, model: Path, arguments: Mapping[str, Any]
    ) -> AsyncGenerator[Engine]:
        serving = api_server.serve(name, made, folder, model, given(arguments), variables, _LOAD_TIMEOUT_S)
        async with serving as server:
            yield Engine(name, server, server.process, still=True)

    return opened


def _same(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key: value for key, value in arguments.items() if key != "environment"}


def _defaults(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    # By default it takes 92% of all memory for its KV cache, and starts nowhere where others have memory too.
    return {"kv_cache_memory_bytes": arguments.get("kv_cache_memory_bytes", 1 << 30)}


def _version(model: Path, arguments: Mapping[str, Any]) -> Version:
    config = (_MODEL / "config.pbtxt").read_text()
    return Version("smollm2", config, {**arguments, "model": str(model)})


_KINDS: Mapping[str, Kind] = {
    OURS: _session,
    "in process": _in_process,
    "api_server": _api(_same),
    "api_server defaults": _api(_defaults),
    # vLLM leaves one core to its other processes, whatever OMP_NUM_THREADS says; this is how to have them all.
    "api_server all cores": _api(_same, VLLM_CPU_OMP_THREADS_BIND=f"0-{max(os.sched_getaffinity(0))}"),
}


def _row(title: str, values: Mapping[int, float], digits: int) -> str:
    return "| " + " | ".join((title, *(f"{value:.{digits}f}" for value in values.values()))) + " |"


async def _compare(rounds: int, names: Sequence[str], arguments: Mapping[str, Any], folder: Path) -> Figures:
    async with _all(names, arguments, folder) as engines:
        return await measure(engines, _LOADS, rounds)


def main() -> None:
    """Compare, and print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured")
    parser.add_argument("--engines", nargs="+", choices=_KINDS, default=list(_KINDS), help="which are measured")
    parser.add_argument("--engine-args", type=Path, default=_MODEL / "1" / "model.json", help="arguments, in JSON")
    parser.add_argument("--output", type=Path, help="file for all figures, in JSON")
    chosen = parser.parse_args()
    names = [OURS, *(name for name in chosen.engines if name != OURS)]
    arguments = msgspec.json.decode(chosen.engine_args.read_bytes(), type=dict[str, Any])
    with TemporaryDirectory(prefix="inferno-comparison-") as folder:
        figures = asyncio.run(_compare(chosen.rounds, names, arguments, Path(folder)))
    sys.stdout.write(figures.markdown() + "\n")
    if chosen.output is not None:
        document = {**msgspec.to_builtins(figures, str_keys=True), "ratios": figures.ratios(), "arguments": arguments}
        chosen.output.write_bytes(msgspec.json.format(msgspec.json.encode(document)) + b"\n")


if __name__ == "__main__":
    main()
