"""vLLM's serving layer, stepped by hand: the engine's outputs go in, OpenAI's choice objects come out.

Its stream generator awaits nothing but the engine's iterator. So where that iterator is ours, no event loop is needed:
it runs when it is pushed, in whichever thread does so.
"""

import re
import sys
import types
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

import msgspec

from inferno_core.errors import InfernoError

_PREFIX = len("data: ")
# vLLM's additions, which it gives where nobody asked for them. They stand last.
_EMPTY_ADDITIONS = (b',"token_ids":null}', b',"prompt_token_ids":null}')
_REASONING = b'"reasoning":'
_PROMPT = b',"prompt_token_ids":['
_PROMPT_END = re.compile(rb"[\d,]*\]}")


class _Chunk(msgspec.Struct):
    """A chunk of OpenAI's stream, of which the choice objects are cut out as they stand."""

    choices: list[msgspec.Raw] = []
    error: dict[str, Any] | None = None


_chunks = msgspec.json.Decoder(_Chunk)


@types.coroutine
def _paused() -> Generator[None, None, None]:
    """Give the turn back to whoever steps."""
    yield


class Feed:
    """What the serving layer takes for the engine's iterator. It pauses while there is nothing to give."""

    def __init__(self) -> None:
        self.next: Any = None

    def __aiter__(self) -> "Feed":
        return self

    async def __anext__(self) -> Any:
        """Give what was put in next."""
        while self.next is None:
            await _paused()
        given, self.next = self.next, None
        return given

    async def aclose(self) -> None:
        """Nothing is held that would have to be let go of."""


class Lane:
    """The stream of one prompt. `refused` makes an error of one that vLLM puts into its stream."""

    def __init__(
        self, stream: AsyncGenerator[str, None], feed: Feed, refused: Callable[[dict[str, Any]], InfernoError]
    ) -> None:
        self._stream = stream
        self._feed = feed
        self._refused = refused
        self._turn: Any = None

    def begin(self, output: Any) -> list[bytes]:
        """Push the first output, in an event loop's thread: the loop would take the stream for one of its own."""
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(None, None)
        try:
            return self.push(output)
        finally:
            sys.set_asyncgen_hooks(*hooks)

    def push(self, output: Any) -> list[bytes]:
        """Give the choice objects that the serving layer makes of an engine's output. Raises InfernoError."""
        self._feed.next = output
        bodies: list[bytes] = []
        while (event := self._advance()) is not None:
            bodies.extend(self._choices(event))
        return bodies

    def _advance(self) -> str | None:
        """Run to the next event; None when the serving layer waits for more, or has come to its end."""
        if self._turn is None:
            self._turn = self._stream.__anext__()
        try:
            self._turn.send(None)
        except StopIteration as stopped:
            self._turn = None
            event: str = stopped.value
            return event
        except StopAsyncIteration:
            self._turn = None
        return None

    def _choices(self, event: str) -> list[bytes]:
        if event.startswith("[DONE]", _PREFIX):
            return []
        chunk = _chunks.decode(event[_PREFIX:])
        if chunk.error is not None:
            raise self._refused(chunk.error)
        return [_named_twice(_plain(bytes(choice))) for choice in chunk.choices]


def _named_twice(choice: bytes) -> bytes:
    """Let reasoning stand under both names that clients read. In a text the quotes around one would be escaped."""
    if _REASONING not in choice:
        return choice
    said = msgspec.json.decode(choice)
    delta = said.get("delta") or {}
    if delta.get("reasoning") is not None:
        delta["reasoning_content"] = delta["reasoning"]
    return msgspec.json.encode(said)


def _plain(choice: bytes) -> bytes:
    """Cut vLLM's additions off. No string can end as they do, so they are told by that."""
    for addition in _EMPTY_ADDITIONS:
        if choice.endswith(addition):
            choice = choice[: -len(addition)] + b"}"
    if choice.endswith(b"]}"):
        start = choice.rfind(_PROMPT)
        if start >= 0 and _PROMPT_END.fullmatch(choice, start + len(_PROMPT)):
            return choice[:start] + b"}"
    return choice
