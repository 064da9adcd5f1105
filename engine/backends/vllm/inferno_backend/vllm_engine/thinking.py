"""Puts right what vLLM's holder of thinking budgets does not see: output that was there before, and rows that moved.

It makes a state afresh whenever a request joins the batch, and moves it on by the tokens of one step at a time.
Shown every beginning of the output in turn it comes out right, but each look costs as much as the output is long:
seconds for thousands of tokens, for which every other request would wait. So it is shown those that can change it.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from vllm.v1.sample.thinking_budget_state import ThinkingBudgetStateHolder


def drop_strays(holder: ThinkingBudgetStateHolder, budgets: Sequence[int | None]) -> None:
    """Forget states whose rows have no budget. vLLM 0.32 leaves that of a request which has gone to the one that is
    moved into its row, so that an end of thinking would be forced into another's answer.
    """
    for index in list(holder._state):
        if index >= len(budgets) or budgets[index] is None:
            del holder._state[index]


def catch_up(holder: ThinkingBudgetStateHolder, outputs: Sequence[list[int]]) -> None:
    """Have all states of `holder` stand where their `outputs` do, but for the last look, which is the sampler's."""
    for index, state in holder._state.items():
        output = outputs[index]
        if state.get("seen", 0) < len(output):
            _lead(holder, state, output)
        state["seen"] = len(output) + 1


def _lead(holder: ThinkingBudgetStateHolder, state: dict[str, Any], output: list[int]) -> None:
    ends = {*_ends(output, holder.think_start_token_ids), *_ends(output, holder.think_end_token_ids)}
    # Right before a mark ends too: then the countdown stands where it was when the mark came.
    marks = sorted(ends | {end - 1 for end in ends})
    length = state.get("seen", 0)
    while length < len(output):
        state |= {"output_tok_ids": output[:length], "spec_token_ids": [], "force_index": []}
        holder._update_think_state(state)
        length = _next(state, length, marks)


def _next(state: dict[str, Any], length: int, marks: Sequence[int]) -> int:
    """Give the next length of the output that matters: at a mark, or where the budget is spent."""
    if state["in_end"]:
        return length + 1
    place = bisect_right(marks, length)
    mark = marks[place] if place < len(marks) else _NEVER
    if state["start_thinking"] == -1:
        return mark
    return min(mark, max(length + 1, state["prev_output_length"] + state["check_count_down"]))


def _ends(output: Sequence[int], mark: Sequence[int]) -> list[int]:
    """Give the lengths of the output at which it ends with `mark`."""
    size = len(mark)
    return [end for end in range(size, len(output) + 1) if size and list(output[end - size : end]) == list(mark)]


_NEVER = 1 << 62
