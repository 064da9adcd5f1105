"""What the synthetic engine makes of a call: its whole answers, and what of them is still to be told."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from inferno_backend import grammars
from inferno_backend.seam import Call, Gain, OpenAICall, Render, Reply, Usage
from inferno_backend.synthetic_render import ChatRender, CompletionRender, EmbeddingRender, StockRender
from inferno_core.errors import EngineFailed
from inferno_core.records import Phases
from inferno_core.session import Piece
from inferno_engine.synthetic import embedding, prefixes, request
from inferno_engine.synthetic.faults import Fault
from inferno_engine.synthetic.scheduler import Run
from inferno_engine.synthetic.text import Answer


class Plan(NamedTuple):
    """How a call is answered: choice i with `answers[i]`, `n` of them to each of `prompts`, in words by `render`."""

    prompts: Sequence[str]
    n: int
    answers: Sequence[Answer]
    render: Render


def plan(call: Call, context: int) -> Plan:
    """Understand a call. Raises InvalidRequest and ContextLengthExceeded."""
    grammars.check(call.body if isinstance(call, OpenAICall) else call.sampling)
    if not isinstance(call, OpenAICall):
        asked = request.stock(call.prompt, call.sampling)
        answers = asked.answers(context)
        return Plan(asked.prompts, asked.n, answers, StockRender(asked, answers))
    if call.surface == "embedding":
        inputs = embedding.inputs(call.body).within(context)
        inputs.fit(context)
        answers = [Answer(len(text.split()), (), (), 0, "stop") for text in inputs.texts]
        return Plan(inputs.texts, 1, answers, EmbeddingRender(inputs))
    read = request.chat if call.surface == "chat" else request.completion
    asked = read(call.body).within(context)
    answers = asked.answers(context, call.allowance)
    if call.surface == "completion":
        return Plan(asked.prompts, asked.n, answers, CompletionRender(asked, answers))
    return Plan(asked.prompts, asked.n, answers, ChatRender(asked, answers, {piece.choice for piece in call.accepted}))


class Generation:
    """A call while it is answered: its `runs` are the choices that have something left to say.

    `put` is its reply's. Raises EngineFailed if it can't go on with what was accepted of it.
    """

    __slots__ = (
        "_open",
        "_plan",
        "_silent",
        "_spoke_s",
        "_taken_s",
        "_told",
        "arrived_s",
        "fault",
        "id",
        "put",
        "reply",
        "runs",
    )

    def __init__(self, call: Call, reply: Reply, plan: Plan, fault: Fault | None, arrived_s: float) -> None:
        accepted = call.accepted if isinstance(call, OpenAICall) else ()
        self.id = call.id
        self.reply = reply
        self.put: Callable[[Gain], None] = reply.put
        self.fault = fault
        self.arrived_s = self._taken_s = self._spoke_s = arrived_s
        self._plan = plan
        self._told = _told(accepted, plan.answers)
        ended = {piece.choice for piece in accepted if piece.finish}
        self.runs = [self._run(index, call.priority) for index in range(len(plan.answers)) if index not in ended]
        if fault is not None and self.runs and not (fault.once and accepted):
            self.runs[0].halt = fault.token
        self._open = len(self.runs)
        self._silent = False

    def _run(self, index: int, priority: int) -> Run:
        answer, made = self._plan.answers[index], self._told[index]
        blocks = prefixes.blocks(self._plan.prompts[index // self._plan.n].split())
        made = min(made, len(answer.tokens))
        return Run(self, index, answer.prompt_tokens, answer.tokens, made, priority, blocks)

    def takes(self, at_s: float) -> None:
        """Note when a choice was given a slot; the first counts."""
        if self._taken_s == self.arrived_s:
            self._taken_s = self._spoke_s = max(at_s, self.arrived_s)

    def speaks(self, at_s: float) -> None:
        """Note when a prompt had been read; the first counts."""
        if self._spoke_s == self._taken_s:
            self._spoke_s = at_s

    def silence(self) -> None:
        """Tell the reply nothing more."""
        self._silent = True
        self.put = _nothing

    def finish(self, run: Run, start: int) -> None:
        """Tell the last of a choice, from token `start`, and the end after the last choice."""
        self.put(Gain(run.choice, run.tokens[start:], run.length, self._plan.answers[run.choice].finish))
        self._open -= 1
        if not self._open and not self._silent:
            self.reply.end(self.usage())

    @property
    def over(self) -> bool:
        """Whether all choices have said all."""
        return not self._open

    def begins(self, run: Run) -> bool:
        """Say whether nothing was told of a run's choice before this engine took it."""
        return not self._told[run.choice]

    def counts_prompt(self, run: Run) -> bool:
        """Say whether this run stands for its prompt, which the choices that answer it share."""
        return run.choice % self._plan.n == 0

    def usage(self) -> Usage:
        """Count all tokens, those that were told before included, and each prompt once."""
        answers, n = self._plan.answers, self._plan.n
        completion = sum(max(len(answer.tokens), told) for answer, told in zip(answers, self._told, strict=True))
        cached = sum(run.cached or 0 for run in self.runs if self.counts_prompt(run))
        return Usage(sum(answer.prompt_tokens for answer in answers[::n]), completion, cached, self._phases())

    def _phases(self) -> Phases:
        return Phases(
            queued_s=self._taken_s - self.arrived_s,
            prefill_s=self._spoke_s - self._taken_s,
            decode_s=max(0.0, time.monotonic() - self._spoke_s),
        )


def _told(accepted: Sequence[Piece], answers: Sequence[Answer]) -> list[int]:
    """Count the tokens of each choice that were told before, and see that they are what this engine would have told."""
    told: list[list[int]] = [[] for _ in answers]
    for piece in accepted:
        if piece.choice >= len(told):
            raise EngineFailed(f"The engine can't go on: the request has no choice {piece.choice}.")
        told[piece.choice].extend(piece.tokens)
    for tokens, answer in zip(told, answers, strict=True):
        # An allowance may have become smaller than what was told.
        if answer.tokens[: len(tokens)] != tuple(tokens[: len(answer.tokens)]):
            raise EngineFailed("The engine can't go on: the tokens that were told are not those of this request.")
    return [len(tokens) for tokens in told]


def _nothing(_: Gain) -> None:
    pass
