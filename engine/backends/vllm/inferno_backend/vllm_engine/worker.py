"""vLLM's worker, taught to go on: its model runner is told of accepted tokens, and draws the same noise again.

Noise is counted, not carried: whatever is drawn for a request's next token depends on its seed and on how many tokens
it has. For fresh requests too, since they are what others will go on from.

For the V1 model runner, which CPUs use. The V2 runner, which CUDA uses, takes accepted tokens from the scheduler by
itself, and keys its noise by seed and position already.
"""

from typing import Any

import torch
from vllm.platforms import current_platform
from vllm.v1.worker.gpu_input_batch import CachedRequestState
from vllm.v1.worker.gpu_model_runner import GPUModelRunner

from inferno_backend.vllm_engine.accepted import accepted_of
from inferno_backend.vllm_engine.noise import noise_seed
from inferno_backend.vllm_engine.thinking import catch_up, drop_strays

# vLLM's platforms name by this what adds adapters to a layer.
_ADAPTED = "inferno_backend.vllm_engine.adapted.RowsByAdapter"

if current_platform.is_cpu():
    from vllm.v1.worker.cpu_worker import CPUWorker as PlatformWorker
else:
    from vllm.v1.worker.gpu_worker import Worker as PlatformWorker


class ResumingWorker(PlatformWorker):
    """The platform's worker, whose model runner goes on from tokens, and whose adapters stay in their rows."""

    def init_device(self) -> None:
        """Make the model runner."""
        super().init_device()
        if current_platform.is_cpu():
            current_platform.get_punica_wrapper = lambda: _ADAPTED
        if not self.use_v2_model_runner:
            _Sampling(self.model_runner)


class _Sampling:
    """Stands before a V1 runner's sampling, so that each sample is drawn as if nothing had come between."""

    def __init__(self, runner: GPUModelRunner) -> None:
        runner.requests = _States()
        self._runner = runner
        self._sample = runner._sample
        runner._sample = self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        batch = self._runner.input_batch
        for index, generator in batch.generators.items():
            state = self._runner.requests[batch.req_ids[index]]
            generator.manual_seed(noise_seed(state.sampling_params.seed, len(state.output_token_ids)))
        holder = batch.thinking_budget_state_holder
        if holder is not None and holder.has_tracked_requests():
            params = [self._runner.requests[id].sampling_params for id in batch.req_ids]
            drop_strays(holder, [each.thinking_token_budget for each in params])
            catch_up(holder, batch.req_output_token_ids)
        return self._sample(*args, **kwargs)


class _States(dict[str, CachedRequestState]):
    """What a runner knows of its requests. Each begins with the tokens that were accepted of it."""

    def __setitem__(self, id: str, state: CachedRequestState) -> None:
        if id not in self:
            state.output_token_ids.extend(accepted_of(state.sampling_params))
            if state.generator is not None:
                state.generator = _Generator(state.generator.device)
        super().__setitem__(id, state)


class _Generator(torch.Generator):
    """A generator that is seeded anew before each sample.

    When a chunk of a prompt was not its last, vLLM winds the generator back over what it drew. There is no need here,
    and PyTorch's generator for CPUs can't: it raises, which ends the whole engine.
    """

    def get_offset(self) -> int:
        """Give how far it is: always at its start."""
        return 0

    def set_offset(self, offset: int) -> None:
        """Wind it back: the next sample seeds it anyway."""
