"""LoRA on a CPU: adds to each row of a batch what its adapter has to say, and to a row without one nothing.

vLLM 0.32 itself gives rows without an adapter that of the last slot, in each step that has rows with one, too (its pull
requests 48421 and 49656 are about that); and it copies an adapter's matrices for every token. Here they are multiplied
once, with all of its rows.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.nn.functional import linear
from vllm.lora.punica_wrapper.punica_cpu import PunicaWrapperCPU

# Which rows of a batch have the adapter in a slot.
Rows = list[tuple[int, torch.Tensor]]
# Where several threads compute, they meet after each of a thousand small products a step, and wait for whichever has no
# core: on two busy cores that took 30 times the CPU.
_FEW_ROWS = 512


class RowsByAdapter(PunicaWrapperCPU):
    """Stands in the place of vLLM's own, whose interface and names it has. Each stack has a slot first, then a one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Begin without adapters."""
        super().__init__(*args, **kwargs)
        self._tokens: Rows = []
        self._samples: Rows = []

    def update_metadata(self, *args: Any, **kwargs: Any) -> None:
        """Take in which rows of the next step have which adapter."""
        super().update_metadata(*args, **kwargs)
        self._tokens = _rows(self.token_lora_indices)
        self._samples = _rows(self.sampler_indices)

    def add_lora_linear(
        self,
        y: torch.Tensor,
        x: torch.Tensor,
        lora_a_stacked: Sequence[torch.Tensor],
        lora_b_stacked: Sequence[torch.Tensor],
        scale: float,
        output_slices: Sequence[int],
        **_: Any,
    ) -> None:
        """Add to the outputs `y` of a layer, some of which are several layers' side by side, for the inputs `x`."""
        for slot, rows in self._tokens:
            with _threads_for(rows):
                mine, start = x[rows], 0
                for a, b, width in zip(lora_a_stacked, lora_b_stacked, output_slices, strict=True):
                    _add(y[:, start : start + width], rows, linear(linear(mine, a[slot, 0]), b[slot, 0]), scale)
                    start += width

    def add_lora_embedding(
        self, y: torch.Tensor, x: torch.Tensor, lora_b_stacked: torch.Tensor, *_: Any, **__: Any
    ) -> None:
        """Add to the embeddings `y`; `x` is what an adapter has in place of them."""
        for slot, rows in self._tokens:
            with _threads_for(rows):
                _add(y, rows, linear(x[rows], lora_b_stacked[slot, 0]))

    def add_lora_logits(
        self,
        y: torch.Tensor,
        x: torch.Tensor,
        lora_a_stacked: torch.Tensor,
        lora_b_stacked: torch.Tensor,
        scale: float,
        **_: Any,
    ) -> None:
        """Add to the logits `y` of the states `x`; they may be padded beyond what adapters have."""
        known = y[:, : lora_b_stacked.shape[2]]
        for slot, rows in self._samples:
            with _threads_for(rows):
                _add(known, rows, linear(linear(x[rows], lora_a_stacked[slot, 0]), lora_b_stacked[slot, 0]), scale)


def _rows(slots: torch.Tensor) -> Rows:
    """Part rows by their slots; those without one (-1) are left out."""
    return [(int(slot), (slots == slot).nonzero()[:, 0]) for slot in slots.unique() if slot >= 0]


def _add(y: torch.Tensor, rows: torch.Tensor, more: torch.Tensor, scale: float = 1.0) -> None:
    """Add to some rows, in place."""
    y.index_add_(0, rows, more[:, : y.shape[1]].to(y.dtype), alpha=scale)


@contextlib.contextmanager
def _threads_for(rows: torch.Tensor) -> Iterator[None]:
    """Have as many threads compute as is worth it; to say so takes no time."""
    threads = torch.get_num_threads()
    if len(rows) > _FEW_ROWS or threads == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
