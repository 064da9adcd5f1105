"""vLLM's scheduler, taught to go on: tokens accepted before come back as the request's output.

They never join its prompt, so that whatever counts or reads output (limits, penalties, grammars) finds it where it
would have been. vLLM computes prompt and output alike when it takes a preempted request up again; this leads there.
"""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from vllm.config import VllmConfig
from vllm.v1.core.sched.async_scheduler import AsyncScheduler
from vllm.v1.core.sched.scheduler import Scheduler
from vllm.v1.request import Request, RequestStatus

from inferno_backend.vllm_engine.accepted import accepted_of

# How many grammars are compiled at once; vLLM has a thread for every two cores, where cheap ones wait for dear ones.
_COMPILERS = 8
_LEAST_URGENT = 19


class ResumingScheduler(Scheduler):
    """The scheduler of an engine that goes on from tokens; made for asynchronous scheduling where that is on."""

    def __new__(cls, vllm_config: VllmConfig, *args: Any, **kwargs: Any) -> "ResumingScheduler":
        """Choose between vLLM's two schedulers, as it does itself when none is named."""
        chosen = _Asynchronous if vllm_config.scheduler_config.async_scheduling else cls
        return super().__new__(chosen)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if hasattr(self.structured_output_manager, "executor"):
            self.structured_output_manager.executor = ThreadPoolExecutor(_COMPILERS, "compiler", _step_back)

    def add_request(self, request: Request) -> None:
        """Queue a request, with its accepted tokens as output. Where a grammar must read them, they wait for it."""
        accepted = accepted_of(request.sampling_params)
        if accepted:
            # vLLM asserts that a first prefill finds no more than the prompt in the prefix cache.
            request.prefill_stats = None
            if not request.use_structured_output:
                request.append_output_token_ids(list(accepted))
        super().add_request(request)

    def _handle_blocked_waiting_request(self, request: Request) -> bool:
        compiling = request.status == RequestStatus.WAITING_FOR_STRUCTURED_OUTPUT_GRAMMAR
        if not super()._handle_blocked_waiting_request(request):
            return False
        if not compiling or self._reads_accepted(request):
            return True
        # As if the grammar had not compiled: that ends this request alone, with an error.
        request.structured_output_request._grammar = ValueError("The grammar refuses the accepted tokens.")
        request.status = RequestStatus.WAITING_FOR_STRUCTURED_OUTPUT_GRAMMAR
        return super()._handle_blocked_waiting_request(request)

    def _reads_accepted(self, request: Request) -> bool:
        """Let the grammar read the accepted tokens, each as it came to be; False if it refuses one.

        One by one, since a grammar begins where reasoning ends, which is judged by what is the output so far.
        """
        for token in accepted_of(request.sampling_params):
            request.append_output_token_ids(token)
            if not self.structured_output_manager.accept_tokens(request, [token]):
                return False
        return True


class _Asynchronous(ResumingScheduler, AsyncScheduler):
    """The same on top of the scheduler that works a step ahead."""


def _step_back() -> None:
    """Let this thread, and those that it starts, compute only what steps leave over: a grammar may take a minute."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LEAST_URGENT)
