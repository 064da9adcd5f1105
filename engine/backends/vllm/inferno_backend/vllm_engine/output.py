"""vLLM's output processor, taught to go on: what was accepted is read again without being told again."""

from typing import Any

from vllm.logprobs import append_logprobs_for_next_position
from vllm.sampling_params import RequestOutputKind
from vllm.v1.engine import EngineCoreRequest
from vllm.v1.engine.output_processor import OutputProcessor, RequestState

from inferno_backend.vllm_engine.accepted import accepted_of

# How many tokens before it vLLM looks at for the words of a log-probability; a character has four bytes at most.
_CONTEXT = 4


class ResumingOutputProcessor(OutputProcessor):
    """An output processor whose requests may have been told in part before."""

    def add_request(self, request: EngineCoreRequest, *args: Any, **kwargs: Any) -> None:
        """Take a request. Its first output begins after its accepted tokens."""
        super().add_request(request, *args, **kwargs)
        accepted = accepted_of(request.sampling_params)
        if accepted:
            state = self.request_states[request.request_id]
            _read(state, accepted)
            _remember(state, accepted[-_CONTEXT:])


def _read(state: RequestState, tokens: list[int]) -> None:
    """Bring the text to where it was, held-back beginnings of stop strings and halves of characters included."""
    for token in tokens:
        state.detokenizer.update([token], False)
    state.detokenizer.get_next_output_text(False, True)
    state.sent_tokens_offset = state.detokenizer.num_output_tokens()


def _remember(state: RequestState, tokens: list[int]) -> None:
    """Give the log-probabilities to come the tokens before them, of which they may complete a character.

    Outputs that tell only what is new never show them.
    """
    logprobs = state.logprobs_processor.logprobs
    if logprobs is not None and state.output_kind == RequestOutputKind.DELTA:
        for token in tokens:
            append_logprobs_for_next_position(logprobs, [token], [0.0], [None], 0, 0)
