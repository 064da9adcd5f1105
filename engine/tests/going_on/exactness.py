"""Shows that vLLM goes on from tokens exactly: cuts generations after each of their frames, and compares.

Run with the engine's Python; without `--cuts` at every cut. A generation is right if what was accepted and what follows
are what the undisturbed one said: tokens, words, log-probabilities, tool calls, finish reasons, token counts.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "engine" / "tests"), str(ROOT / "engine" / "backends" / "vllm")]
sys.path += [str(ROOT / "core"), str(ROOT / "engine")]

from going_on import told  # noqa: E402 - found by the path above
from going_on.cases import ARGUMENTS, SETTINGS, Case  # noqa: E402
from going_on.told import Told  # noqa: E402
from inferno_backend import engines  # noqa: E402
from inferno_backend.seam import Engine, OpenAICall  # noqa: E402

from inferno_core.session import Piece  # noqa: E402

_AT_ONCE = 256
_DEADLINE_S = 1800.0


class Outcome(NamedTuple):
    """How a case came out. `kinds`: what was said at all. `wrong`: for each cut that did not, after how many frames it
    was, and what differs. `varies`: whether it came out differently when it was just asked for again.
    """

    name: str
    tokens: int
    frames: int
    finish: str
    kinds: Sequence[str]
    cuts: int
    wrong: Sequence[tuple[int, str]]
    varies: bool


class Bench:
    """An engine, and many generations at once."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.preempted = 0
        """How often those that went on from tokens were preempted."""
        self._running: list[Told] = []
        self._calls = 0
        engine.open(self._stepped)

    def run(self, asked: Sequence[tuple[Case, tuple[Piece, ...]]]) -> list[Told]:
        """Have all generations, those with accepted pieces from there on."""
        said: list[Told] = []
        for start in range(0, len(asked), _AT_ONCE):
            said += self._round(asked[start : start + _AT_ONCE])
        return said

    def _round(self, asked: Sequence[tuple[Case, tuple[Piece, ...]]]) -> list[Told]:
        running = [Told(self._call(case, accepted), case.lag) for case, accepted in asked]
        self._running = running
        for each in running:
            self.engine.start(each.call, each)
        for each in running:
            if not each.over.wait(_DEADLINE_S):
                raise TimeoutError(f"{each.call.id} came to no end.")
        print(f"{self._calls} generations", file=sys.stderr, flush=True)
        return running

    def _call(self, case: Case, accepted: tuple[Piece, ...]) -> OpenAICall:
        self._calls += 1
        return OpenAICall(f"{self._calls}", case.surface, case.body, accepted=accepted)  # type: ignore[arg-type]

    def _stepped(self) -> None:
        for each in self._running:
            each.stepped()


def examine(bench: Bench, cases: Sequence[Case], cuts: int | None, chance: random.Random) -> Iterator[Outcome]:
    """Cut each case `cuts` times (None: everywhere), go on from there, and compare."""
    whole = bench.run([(case, ()) for case in cases])
    # Once more in another order, hence in other batches: what differs by itself can't be gone on with exactly.
    order = chance.sample(range(len(cases)), len(cases))
    again = dict(zip(order, bench.run([(cases[place], ()) for place in order]), strict=True))
    plan = [(place, cut) for place, each in enumerate(whole) for cut in _cuts(each, cuts, chance)]
    chance.shuffle(plan)
    before = bench.engine.stats.preemptions
    parts = bench.run([(cases[place], whole[place].pieces(cut)) for place, cut in plan])
    bench.preempted += bench.engine.stats.preemptions - before
    wrong: list[list[tuple[int, str]]] = [[] for _ in cases]
    for (place, cut), part in zip(plan, parts, strict=True):
        differs = difference(whole[place], cut, part)
        if differs:
            wrong[place].append((cut, differs))
    for place, (case, each) in enumerate(zip(cases, whole, strict=True)):
        count = sum(at == place for at, _ in plan)
        finish = " ".join(frame.finish for frame in each.frames if frame.finish) or str(each.error)
        said = sum(len(frame.tokens) for frame in each.frames)
        varies = bool(difference(each, 0, again[place]))
        kinds = sorted({kind for words in told.words(each.frames).values() for kind, text in words.items() if text})
        yield Outcome(case.name, said, len(each.frames), finish, kinds, count, sorted(wrong[place]), varies)


def refusal(bench: Bench, cases: Sequence[Case]) -> str:
    """Go on from tokens that a grammar refuses, beside a generation that must not suffer; gives the error's code."""
    held = next(case for case in cases if "structured_outputs" in case.body)
    alien = Piece(0, (0,))
    asked, beside = bench.run([(held, (alien,)), (held, ())])
    return "the other failed" if beside.error else getattr(asked.error, "code", "none")


def difference(whole: Told, cut: int, part: Told) -> str:
    """Say how a generation that was cut after `cut` frames and gone on with differs from the undisturbed one."""
    if whole.error or part.error:
        return f"failed: {(whole.error or part.error)!r}"
    frames = [*whole.frames[:cut], *part.frames]
    if told.tokens(frames) != told.tokens(whole.frames):
        return f"tokens: {told.tokens(part.frames)} where it was {told.tokens(whole.frames[cut:])}"
    if told.words(frames) != told.words(whole.frames):
        return f"words: {told.words(frames)} where it was {told.words(whole.frames)}"
    if not told.alike(told.log_probabilities(frames), told.log_probabilities(whole.frames)):
        return "log-probabilities"
    counts = [(each.usage.prompt_tokens, each.usage.completion_tokens) for each in (whole, part) if each.usage]
    return "" if counts[0] == counts[1] else f"usage: {counts}"


def _cuts(each: Told, cuts: int | None, chance: random.Random) -> list[int]:
    places = range(1, len(each.frames))
    return list(places) if cuts is None else sorted(chance.sample(places, min(cuts, len(places))))


def start(setting: str, dtype: str, folder: Path) -> Engine:
    """Start the engine of a setting; `folder` is for its files."""
    arguments = {**ARGUMENTS, **SETTINGS[setting].arguments, "model": str(_thinker(folder)), "dtype": dtype}
    (folder / "model.json").write_text(json.dumps(arguments))
    return engines.make({"name": "smollm2"}, folder)


def _thinker(folder: Path) -> Path:
    """Give the model with two of its unused tokens named as the marks of thinking, which it has not."""
    made = folder / "weights"
    made.mkdir()
    for file in (ROOT / ".cache" / "models" / "smollm2").iterdir():
        if file.name.startswith("tokenizer"):
            text = file.read_text().replace("<repo_name>", "<think>").replace("<reponame>", "</think>")
            (made / file.name).write_text(text)
        else:
            (made / file.name).symlink_to(file)
    return made


def main() -> int:
    """Print a line for each case; 1 if anything was wrong."""
    asked = _arguments()
    began_s = time.monotonic()
    folder = tempfile.TemporaryDirectory()
    engine = start(asked.setting, asked.dtype, Path(folder.name))
    try:
        print(f"{asked.setting}, {asked.dtype}: ready after {time.monotonic() - began_s:.0f} s", flush=True)
        bench, every = Bench(engine), SETTINGS[asked.setting].cases
        cases = [case for case in every if not asked.only or case.name in asked.only]
        outcomes = list(examine(bench, cases, asked.cuts, random.Random(asked.seed)))
        refused = refusal(bench, every)
    finally:
        engine.close()
        folder.cleanup()
    for each in outcomes:
        print(f"{each.name:32} {each.cuts - len(each.wrong):4}/{each.cuts:<4} {each.finish}", *_first(each), flush=True)
    print(
        _summary(outcomes),
        f"{bench.preempted} preemptions of what went on, {time.monotonic() - began_s:.0f} s.",
        sep="\n",
    )
    if asked.report:
        said = {"preempted": bench.preempted, "refused": refused, "outcomes": [each._asdict() for each in outcomes]}
        asked.report.write_text(json.dumps(said))
    return int(any(each.wrong for each in outcomes))


def _summary(outcomes: Sequence[Outcome]) -> str:
    cuts, wrong = sum(each.cuts for each in outcomes), sum(len(each.wrong) for each in outcomes)
    varying = sum(each.varies for each in outcomes)
    return f"{cuts - wrong} of {cuts} continuations exact; {varying} of {len(outcomes)} generations vary by themselves."


def _first(each: Outcome) -> Iterator[str]:
    if each.varies:
        yield "VARIES"
    if each.wrong:
        yield "WRONG after {} frames: {}".format(*each.wrong[0])[:600]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--setting", choices=sorted(SETTINGS), default="qwen3")
    parser.add_argument("--cuts", type=int)
    parser.add_argument("--only", nargs="*", default=())
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
