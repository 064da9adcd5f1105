"""Runs the synthetic scheduler against the clock, and makes OpenAI's choice objects of its words."""

import json
import threading
import time
from collections.abc import Sequence
from itertools import groupby

from inferno_backend.seam import Call, Choice, Delta, OpenAICall, Reply, Usage
from inferno_core.errors import InfernoError
from inferno_engine.synthetic import request
from inferno_engine.synthetic.scheduler import Progress, Scheduler
from inferno_engine.synthetic.text import Answer


class _Running:
    """A generation that the scheduler knows."""

    __slots__ = ("answers", "call", "n", "open_choices", "reply")

    def __init__(self, call: Call, reply: Reply, answers: Sequence[Answer], n: int) -> None:
        self.call = call
        self.reply = reply
        self.answers = answers
        self.n = n
        self.open_choices = len(answers)

    def usage(self) -> Usage:
        # The choices of one prompt share it, so it is counted once.
        prompt_tokens = sum(answer.prompt_tokens for answer in self.answers[:: self.n])
        return Usage(prompt_tokens, sum(len(answer.tokens) for answer in self.answers))


class SyntheticEngine:
    """Generates words in steps of `step_ms`, for up to `max_num_seqs` choices at once; the others wait in order."""

    def __init__(
        self,
        *,
        max_model_len: int = 8192,
        max_num_seqs: int = 64,
        kv_cache_tokens: int = 524_288,
        prefill_tokens_per_step: int = 2048,
        step_ms: float = 20.0,
    ) -> None:
        if kv_cache_tokens < max_model_len:
            raise ValueError("kv_cache_tokens must be at least max_model_len, or the longest would wait for ever.")
        self._context = max_model_len
        self._step_s = step_ms / 1000
        self._scheduler = Scheduler(
            slots=max_num_seqs, kv_tokens=kv_cache_tokens, prefill_tokens=prefill_tokens_per_step
        )
        self._running: dict[str, _Running] = {}
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def start(self, call: Call, reply: Reply) -> None:
        """Begin a generation, or refuse it at once."""
        try:
            asked = _understand(call)
            answers = asked.answers(self._context)
        except InfernoError as error:
            reply.fail(error)
            return
        with self._changed:
            self._running[call.id] = _Running(call, reply, answers, asked.n)
            self._scheduler.add(call.id, answers)
            self._changed.notify()

    def cancel(self, id: str) -> None:
        """Forget a generation; its slots go to the next in line at the next step."""
        with self._changed:
            if self._running.pop(id, None) is not None:
                self._scheduler.cancel(id)

    def close(self) -> None:
        """Stop stepping."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        due = time.monotonic()
        while True:
            with self._changed:
                if not self._running:
                    self._changed.wait_for(lambda: self._closing or self._running)
                    due = time.monotonic()
            if self._closing:
                return
            # A step that is late does not make the following ones hurry.
            due = max(due + self._step_s, time.monotonic())
            time.sleep(max(0.0, due - time.monotonic()))
            with self._changed:
                self._hand_out(self._scheduler.step())

    def _hand_out(self, made: Sequence[Progress]) -> None:
        """Give each generation the words of this step, those of all its choices together."""
        for id, progresses in groupby(made, key=lambda progress: progress.id):
            running = self._running[id]
            steps = list(progresses)
            running.open_choices -= sum(step.last for step in steps)
            words = _words(running.call, steps)
            if running.open_choices:
                running.reply.put(words)
            else:
                del self._running[id]
                running.reply.end(words, running.usage())


def _understand(call: Call) -> request.Asked:
    if not isinstance(call, OpenAICall):
        return request.stock(call.prompt, call.sampling)
    return request.chat(call.body) if call.surface == "chat" else request.completion(call.body)


def _words(call: Call, steps: Sequence[Progress]) -> list[Choice] | list[Delta]:
    if not isinstance(call, OpenAICall):
        return [_delta(step) for step in steps]
    if call.surface == "completion":
        return [_choice(step, "text", _text(step)) for step in steps]
    words: list[Choice] = []
    for step in steps:
        if step.start == 0:
            words.append(Choice(step.choice, (), _ROLE % step.choice))
        words.append(_choice(step, "delta", {"content": _text(step)}))
    return words


_ROLE = b'{"index":%d,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}'


def _choice(step: Progress, key: str, value: object) -> Choice:
    finish = step.answer.finish if step.last else None
    body = {"index": step.choice, key: value, "logprobs": None, "finish_reason": finish}
    tokens = step.answer.tokens[step.start : step.stop]
    return Choice(step.choice, tokens, json.dumps(body, separators=(",", ":")).encode(), finish or "")


def _delta(step: Progress) -> Delta:
    finish = step.answer.finish if step.last else None
    return Delta(step.choice, _text(step), step.stop - step.start, step.answer.prompt_tokens, finish)


def _text(step: Progress) -> str:
    return "".join(step.answer.pieces[step.start : step.stop])
