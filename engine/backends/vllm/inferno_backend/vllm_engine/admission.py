"""Takes calls in: reads and renders them, has vLLM check all that it can, and makes the requests of its engine.

Whatever is refused is refused here, before a word was said.
"""

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inferno_backend import grammars
from inferno_backend.refusal import check_allowance
from inferno_backend.seam import Choice, Gain, OpenAICall, Render, StockCall
from inferno_backend.vllm_engine import compat, past
from inferno_backend.vllm_engine.core import Core
from inferno_backend.vllm_engine.lane import Lane
from inferno_backend.vllm_engine.past import Past
from inferno_backend.vllm_engine.render import ChoiceRender, DeltaRender, numbered
from inferno_backend.vllm_engine.replays import Replays
from inferno_backend.vllm_engine.run import ChoiceSeat, Run
from inferno_backend.vllm_engine.serving import Asked, Serving
from inferno_core.errors import EngineFailed, InvalidRequest

_MOST_CHOICES = 128
_SEEDS = 1 << 63


@dataclass(slots=True)
class Admitted:
    """A call that is sound: what puts it into words, what to ask the engine, what is told without it."""

    render: Render
    seats: list[ChoiceSeat] = field(default_factory=list)
    told: list[Gain] = field(default_factory=list)
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Admission:
    """Admits calls, in the event loop in which `serving` was opened."""

    def __init__(self, core: Core, serving: Serving, replays: Replays) -> None:
        self._core = core
        self._serving = serving
        self._replays = replays
        self._numbers = itertools.count()

    async def admit(self, run: Run) -> Admitted:
        """Admit a chat, a completion, going on with one, or a call of the stock contract.

        Raises InfernoError, and whatever vLLM does.
        """
        if isinstance(run.call, StockCall):
            grammars.check(run.call.sampling)
            return await self._stock(run, run.call)
        assert isinstance(run.call, OpenAICall)
        grammars.check(run.call.body)
        return await self._openai(run, run.call)

    async def _openai(self, run: Run, call: OpenAICall) -> Admitted:
        if call.accepted and not self._core.goes_on:
            raise EngineFailed("This model's engine can't go on from tokens; its model.json names classes of its own.")
        n, bodies = choices(call.body), list(_bodies(call))
        pasts = past.of(call.accepted, len(bodies) * n, self._core.vocabulary)
        lanes: list[Lane] = []
        opening: list[Choice] = []
        logprobs = call.body.get("logprobs") not in (None, False)
        admitted = Admitted(ChoiceRender(lanes, n, opening, chat=call.surface == "chat", logprobs=logprobs))
        for body in bodies:
            indices = range(len(lanes) * n, (len(lanes) + 1) * n)
            lane, seats = await self._lane(run, call, body, indices, pasts)
            lanes.append(lane)
            objects = _opened(lane.begin(compat.output(seats[0].request, None)), indices.start)
            # What a choice's frames begin with is its opening, so as many of that were told.
            opening += [said for said, place in objects if place >= len(pasts[said.index].pieces)]
            for seat in seats:
                await self._go_on(lane, seat, pasts[seat.index], len(objects) // n, admitted)
            admitted.prompt_tokens += len(seats[0].request.prompt_token_ids)
        return admitted

    async def _lane(
        self, run: Run, call: OpenAICall, body: Mapping[str, Any], indices: range, pasts: Sequence[Past]
    ) -> tuple[Lane, list[ChoiceSeat]]:
        """Open the lane of a prompt, and make the seats of its choices."""
        id = f"{call.id}.{next(self._numbers)}"
        lane, asked = await self._serving.lane(call.surface, body, id, len(indices))
        check_allowance(body, asked.params.max_tokens, self._core.context)
        if call.allowance is not None:
            asked.params.max_tokens = min(asked.params.max_tokens, call.allowance)
        request = self._request(id, asked, body, call.priority)
        seed = _seed(asked.params)
        return lane, [
            _seat(run, request, index, place, seed, pasts[index].tokens) for place, index in enumerate(indices)
        ]

    def _request(self, id: str, asked: Asked, body: Mapping[str, Any], priority: int) -> compat.EngineCoreRequest:
        """Make the engine's request. Here vLLM finds a grammar that can't be, without saying where it stands."""
        adapter = self._core.adapter(body)
        try:
            request = self._core.request(id, asked.prompt, asked.params, priority, lora_request=adapter)
        except Exception as error:
            known = self._core.error(error, body)
            field = next((name for name in grammars.FIELDS if body.get(name)), None)
            if asked.params.structured_outputs is None or field is None or known.param or known.status >= 500:
                raise
            raise InvalidRequest(f"{field} holds no grammar that can be followed; mend it.", param=field) from error
        for name, value in asked.reasoning.items():
            setattr(request, name, value)
        return request

    async def _go_on(self, lane: Lane, seat: ChoiceSeat, mine: Past, opened: int, admitted: Admitted) -> None:
        """Take a choice up where it was; most begin at their first token."""
        admitted.completion_tokens += len(mine.tokens)
        if mine.finished:
            return
        end = None
        if mine.tokens:
            end = await self._replays.run(
                past.replay(self._core, lane, seat.request, mine, seat.index, seat.place, opened)
            )
        if end is None:
            admitted.seats.append(seat)
        else:
            admitted.told.append(end)

    async def _stock(self, run: Run, call: StockCall) -> Admitted:
        adapter = self._core.adapter(call.sampling)
        params = compat.stock_parameters(call.sampling, call.stream)
        prompt = await self._core.prompt(call.prompt)
        id = f"{call.id}.{next(self._numbers)}"
        request = self._core.request(id, prompt, params, call.priority, lora_request=adapter)
        seed = _seed(params)
        seats = [_seat(run, request, index, index, seed, ()) for index in range(choices(call.sampling))]
        render = DeltaRender(logprobs=params.logprobs is not None)
        return Admitted(render, seats, prompt_tokens=len(request.prompt_token_ids))


def choices(asked: Mapping[str, Any]) -> int:
    """Say how many choices each prompt of a call has. Raises InvalidRequest."""
    n = asked.get("n")
    try:
        number = 1 if n is None else int(n)
    except (TypeError, ValueError, OverflowError):
        number = 0
    if not 1 <= number <= _MOST_CHOICES:
        raise InvalidRequest(f"n must be a number from 1 to {_MOST_CHOICES}.", param="n")
    return number


def _bodies(call: OpenAICall) -> Iterator[Mapping[str, Any]]:
    """Give a body for each prompt of a call; only completions may have several."""
    prompts = call.body.get("prompt")
    if call.surface == "completion" and isinstance(prompts, list) and prompts and not isinstance(prompts[0], int):
        for prompt in prompts:
            yield {**call.body, "prompt": prompt}
    else:
        yield call.body


def _opened(bodies: Sequence[bytes], first: int) -> list[tuple[Choice, int]]:
    """Number the choice objects with which a stream begins, and say which of its choice's each is."""
    seen: dict[int, int] = {}
    said = []
    for body in bodies:
        index = first + int(body[len(b'{"index":') : body.index(b",")])
        said.append((Choice(index, (), numbered(body, index)), seen.setdefault(index, 0)))
        seen[index] += 1
    return said


def _seed(params: Any) -> int | None:
    """Give the seed of a call's choices: going on from tokens needs one wherever chance is at work."""
    if params.temperature <= 0:
        return None
    return random.getrandbits(63) if params.seed is None else int(params.seed)


def _seat(run: Run, request: Any, index: int, place: int, seed: int | None, accepted: Sequence[int]) -> ChoiceSeat:
    own_seed = None if seed is None else (seed + index) % _SEEDS
    own = compat.choice_request(request, f"{request.request_id}/{place}", own_seed, accepted)
    return ChoiceSeat(run, index, place, own)
