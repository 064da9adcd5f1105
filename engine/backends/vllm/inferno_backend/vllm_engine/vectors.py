"""Embeddings: the serving layer waits for the engine's vectors in the front's event loop, since nothing is streamed."""

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

from inferno_backend.seam import Gain, OpenAICall
from inferno_backend.vllm_engine.render import VectorRender
from inferno_backend.vllm_engine.run import Run
from inferno_backend.vllm_engine.steps import Steps
from inferno_core.errors import InfernoError

if TYPE_CHECKING:
    from inferno_backend.vllm_engine.core import Core
    from inferno_backend.vllm_engine.serving import Serving

_numbers = itertools.count()


async def tell(core: "Core", serving: "Serving", steps: Steps, run: Run, call: OpenAICall) -> None:
    """Have the embeddings of a call, and tell them. Raises InfernoError, and whatever vLLM does."""
    adapter = core.adapter(call.body)

    async def encode(prompt: Any, params: Any) -> Any:
        request = core.request(f"{call.id}.v{next(_numbers)}", prompt, params, call.priority, lora_request=adapter)
        seat = _VectorSeat(run, request)
        run.ids.append(seat.id)
        steps.submit([seat])
        return await seat.output

    answer = await serving.vectors(call.body, call.id, encode)
    run.begin(VectorRender(), len(answer.data), int(answer.usage["prompt_tokens"]))
    for index, body in enumerate(answer.data):
        run.put(Gain(index, (), bytes(body), "stop"))


class _VectorSeat:
    """The seat of one vector, which waits in the event loop of its maker."""

    place = 0
    speaks = False

    def __init__(self, run: Run, request: Any) -> None:
        self.id: str = request.request_id
        self.request = request
        self.asked_s = run.asked_s
        self.last_s = 0.0
        self._run = run
        self._loop = asyncio.get_running_loop()
        self.output: asyncio.Future[Any] = self._loop.create_future()

    @property
    def over(self) -> bool:
        return self._run.over

    def scheduled(self, begun_s: float, first_s: float) -> None:
        self._run.scheduled(begun_s, first_s)

    def take(self, output: Any) -> bool:
        self._loop.call_soon_threadsafe(self._settle, output)
        return False

    def fail(self, error: InfernoError) -> None:
        self._loop.call_soon_threadsafe(self._settle, error)

    def _settle(self, outcome: Any) -> None:
        if self.output.done():
            return
        if isinstance(outcome, InfernoError):
            self.output.set_exception(outcome)
        else:
            self.output.set_result(outcome)
