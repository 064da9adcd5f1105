"""Compares two ways to lead a thinking budget through output: look by look, and only where it matters.

Run with the engine's Python; says how many of many random outputs came out differently.
"""

import random
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "backends" / "vllm"))

import torch
from inferno_backend.vllm_engine.thinking import catch_up, drop_strays
from vllm.v1.sample.logits_processor.interface import BatchUpdate, MoveDirectionality
from vllm.v1.sample.thinking_budget_state import ThinkingBudgetStateHolder

TRIALS = 20_000


class Budget:
    """A budget, and marks that begin and end thinking, of few tokens, so that they come often and overlap."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._begin = chance.choice([[1], [1, 3], [1, 1], [1, 3, 4]])
        self._end = chance.choice([[2], [2, 3], [2, 2], [2, 3, 4], [3, 2]])
        self._prompt = [chance.randrange(1, 6) for _ in range(chance.randrange(8))]
        self._tokens = chance.randrange(12)

    def holder(self) -> ThinkingBudgetStateHolder:
        marks = SimpleNamespace(reasoning_start_token_ids=self._begin, reasoning_end_token_ids=self._end)
        holder = ThinkingBudgetStateHolder(marks, 1, 0, torch.device("cpu"), False)
        holder._state[0] = holder._init_state_entry(self._prompt, self._tokens)
        return holder

    def output(self) -> tuple[list[int], dict[str, Any]]:
        """Generate some, obeying what the budget forces, and give the state that it then has."""
        holder, output = self.holder(), []
        state = holder._state[0]
        for _ in range(self._chance.randrange(40)):
            holder.update_state([output], None)
            forced = state["in_end"] and state["force_index"] and state["end_count"] < len(self._end)
            output = [*output, self._end[state["end_count"]] if forced else self._chance.randrange(1, 8)]
        holder.update_state([output], None)
        return output, state


def strays() -> int:
    """Have a request without a budget moved to where one with a budget was; give how many budgets are left there."""
    holder = Budget(random.Random(0)).holder()
    holder.sync_batch(BatchUpdate(1, removed=[], added=[], moved=[(1, 0, MoveDirectionality.UNIDIRECTIONAL)]))
    drop_strays(holder, [None])
    return len(holder._state)


def main() -> int:
    """Print how many differ; 1 if any does."""
    wrong = strays()
    for trial in range(TRIALS):
        budget = Budget(random.Random(trial))
        output, state = budget.output()
        holder = budget.holder()
        catch_up(holder, [output])
        holder.update_state([output], None)
        wrong += {**state, "seen": len(output) + 1} != holder._state[0]
    print(f"{wrong} of {TRIALS} differ")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
