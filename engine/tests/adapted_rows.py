"""Compares how adapters are added to a batch with what each row has to become by itself.

Run with the engine's Python; fails where they differ, or where a row without an adapter has changed at all.
"""

import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "backends" / "vllm"))

import torch
from inferno_backend.vllm_engine.adapted import RowsByAdapter
from vllm.lora.layers import LoRAMapping

RANK, INPUTS, SLICES = 4, 16, (8, 6)
# Ids of adapters by slot; the last slot is taken, and asked for by some steps only.
SLOTS = [5, 9, 7]
# The adapters of a step's requests, 0 for none, and how many tokens each has in it.
STEPS = ([(0, 3), (5, 2), (0, 1), (9, 4)], [(0, 1), (0, 2)], [(7, 3)], [(7, 1), (0, 1), (5, 1)])


def stacks(*shape: int) -> torch.Tensor:
    return torch.randn(len(SLOTS), 1, *shape)


def linear(rows: RowsByAdapter, slots: list[int | None]) -> None:
    a, b = [stacks(RANK, INPUTS) for _ in SLICES], [stacks(width, RANK) for width in SLICES]
    x, y = torch.randn(len(slots), INPUTS), torch.randn(len(slots), sum(SLICES))
    found = y.clone()
    rows.add_lora_linear(found, x, a, b, 1.0, SLICES)
    layers = list(zip(a, b, strict=True))
    check(found, y, slots, lambda row, slot: torch.cat([v[slot, 0] @ (u[slot, 0] @ x[row]) for u, v in layers]))


def embedding(rows: RowsByAdapter, slots: list[int | None]) -> None:
    b = stacks(INPUTS, RANK)
    x, y = torch.randn(len(slots), RANK), torch.randn(len(slots), INPUTS)
    found = y.clone()
    rows.add_lora_embedding(found, x, b, add_input=True)
    check(found, y, slots, lambda row, slot: b[slot, 0] @ x[row])


def logits(rows: RowsByAdapter, slots: list[int | None]) -> None:
    """Of a vocabulary that is padded beyond what adapters have."""
    a, b = stacks(RANK, INPUTS), stacks(10, RANK)
    x, y = torch.randn(len(slots), INPUTS), torch.randn(len(slots), 12)
    found = y.clone()
    rows.add_lora_logits(found, x, a, b, 1.0)
    pad = torch.zeros(2)
    check(found, y, slots, lambda row, slot: torch.cat([b[slot, 0] @ (a[slot, 0] @ x[row]), pad]))


def check(
    found: torch.Tensor, before: torch.Tensor, slots: list[int | None], added: Callable[[int, int], torch.Tensor]
) -> None:
    for row, slot in enumerate(slots):
        if slot is None:
            assert torch.equal(found[row], before[row])
        else:
            torch.testing.assert_close(found[row], before[row] + added(row, slot))


def main() -> None:
    torch.manual_seed(3)
    rows = RowsByAdapter(64, 8, "cpu")
    for step in STEPS:
        tokens = [id for id, count in step for _ in range(count)]
        samples = [id for id, _ in step]
        rows.update_metadata(LoRAMapping(tuple(tokens), tuple(samples), is_prefill=True), SLOTS, len(SLOTS), 100)
        linear(rows, _slots(tokens))
        embedding(rows, _slots(tokens))
        logits(rows, _slots(samples))


def _slots(ids: list[int]) -> list[int | None]:
    return [SLOTS.index(id) if id else None for id in ids]


if __name__ == "__main__":
    main()
