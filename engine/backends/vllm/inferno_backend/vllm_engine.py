"""Drives vLLM: one event loop in a thread, one task a generation.

OpenAI bodies go through vLLM's own serving layer, so that templates, stop strings, log-probabilities, tools and choices
are its own. Its server-sent events are taken apart again: the choice object, and the token ids that it was asked
to add.
"""

import asyncio
import logging
import threading
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import msgspec

from inferno_backend.seam import Call, Choice, Delta, OpenAICall, Reply, StockCall, Usage
from inferno_backend.vllm_compat import Serving
from inferno_core.errors import EngineFailed, InfernoError

_log = logging.getLogger(__name__)
_CLOSE_S = 10.0


class VllmEngine:
    """vLLM, with the keyword arguments of its engine as in model.json."""

    def __init__(self, name: str, arguments: Mapping[str, Any]) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="engine", daemon=True)
        self._thread.start()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._serving = self._run(Serving.open(name, arguments)).result()

    def start(self, call: Call, reply: Reply) -> None:
        """Begin a generation."""
        self._loop.call_soon_threadsafe(self._begin, call, reply)

    def cancel(self, id: str) -> None:
        """Abort a generation: its task is cancelled, and vLLM's own clean-up aborts it in the engine."""
        self._loop.call_soon_threadsafe(self._cancel, id)

    def close(self) -> None:
        """Shut the engine down, with its processes."""
        self._serving.engine.shutdown()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CLOSE_S)

    def _run(self, coroutine: Coroutine[Any, Any, Any]) -> "Future[Any]":
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def _begin(self, call: Call, reply: Reply) -> None:
        task = self._loop.create_task(self._generate(call, _Gathered(reply, self._loop)))
        self._tasks[call.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(call.id, None))

    def _cancel(self, id: str) -> None:
        task = self._tasks.get(id)
        if task is not None:
            task.cancel()

    async def _generate(self, call: Call, reply: "_Gathered") -> None:
        try:
            if isinstance(call, OpenAICall):
                usage = await self._openai(call, reply)
            else:
                usage = await self._stock(call, reply)
        except InfernoError as error:
            reply.fail(error)
        except Exception as error:
            # Whatever vLLM raises becomes one of the platform's errors; only those of our own making are surprising.
            known = self._serving.error(error, call.body if isinstance(call, OpenAICall) else call.sampling)
            # vLLM takes a TypeError for a wrong value of the client's; only the log can tell whether it was one.
            if isinstance(known, EngineFailed) or isinstance(error, TypeError):
                _log.exception("A generation failed.")
            reply.fail(known)
        else:
            reply.end(usage)

    async def _openai(self, call: OpenAICall, reply: "_Gathered") -> Usage:
        usage = Usage(0, 0)
        stream = await self._serving.openai(call.surface, call.body, call.id, call.priority)
        try:
            async for event in stream:
                chunk = _chunk(event)
                if chunk is None:
                    break
                if "error" in chunk:
                    error = chunk["error"]
                    raise self._serving.refusal(
                        int(error.get("code") or 500), str(error.get("message")), error.get("param"), call.body
                    )
                reply.put([_choice(choice) for choice in chunk["choices"]])
                usage = _usage(chunk) or usage
        finally:
            await stream.aclose()
        return usage

    async def _stock(self, call: StockCall, reply: "_Gathered") -> Usage:
        prompt_tokens = completion_tokens = cached = 0
        outputs = self._serving.stock(call.prompt, call.sampling, call.stream, call.id, call.priority)
        try:
            async for output in outputs:
                prompt_tokens = len(output.prompt_token_ids or ())
                cached = output.num_cached_tokens or 0
                deltas = [_delta(choice, prompt_tokens) for choice in output.outputs]
                completion_tokens += sum(delta.token_count for delta in deltas)
                reply.put(deltas)
        finally:
            await outputs.aclose()
        return Usage(prompt_tokens, completion_tokens, cached)


class _Gathered:
    """Hands on what a generation said within one turn of the loop, which is one engine step, as one."""

    def __init__(self, reply: Reply, loop: asyncio.AbstractEventLoop) -> None:
        self._reply = reply
        self._loop = loop
        self._words: list[Any] = []

    def put(self, words: Sequence[Choice] | Sequence[Delta]) -> None:
        if words and not self._words:
            self._loop.call_soon(self._flush)
        self._words.extend(words)

    def end(self, usage: Usage) -> None:
        words, self._words = self._words, []
        self._reply.end(words, usage)

    def fail(self, error: InfernoError) -> None:
        self._flush()
        self._reply.fail(error)

    def _flush(self) -> None:
        words, self._words = self._words, []
        if words:
            self._reply.put(words)


def _chunk(event: str) -> dict[str, Any] | None:
    """Take a server-sent event apart; None stands for the end of the stream."""
    data = event.removeprefix("data: ").strip()
    if data == "[DONE]":
        return None
    chunk: dict[str, Any] = msgspec.json.decode(data)
    return chunk


def _choice(choice: dict[str, Any]) -> Choice:
    """Part OpenAI's choice object from vLLM's additions to it."""
    tokens = choice.pop("token_ids", None) or ()
    choice.pop("prompt_token_ids", None)
    finish = choice.get("finish_reason") or ""
    return Choice(choice["index"], tokens, msgspec.json.encode(choice), finish)


def _usage(chunk: Mapping[str, Any]) -> Usage | None:
    usage = chunk.get("usage")
    if not usage:
        return None
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    return Usage(usage["prompt_tokens"], usage.get("completion_tokens") or 0, cached)


def _delta(choice: Any, prompt_tokens: int) -> Delta:
    logprobs = None
    if choice.logprobs is not None:
        logprobs = [
            {
                str(token): {
                    "logprob": at.logprob,
                    "rank": at.rank,
                    "decoded_token": at.decoded_token,
                }
                for token, at in position.items()
            }
            for position in choice.logprobs
        ]
    return Delta(
        choice.index,
        choice.text,
        len(choice.token_ids),
        prompt_tokens,
        choice.finish_reason,
        choice.cumulative_logprob,
        logprobs,
    )
