"""vLLM's engine without its `AsyncLLM`: what makes requests, the core in another process, what reads its outputs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from inferno_backend import lora, machine
from inferno_backend.refusal import refusal
from inferno_backend.vllm_engine import compat
from inferno_core.errors import EngineFailed, InfernoError

_SHUTDOWN_S = 1.0
_LORAS_A_STEP = 8
_KV_CACHE_SIZES = ("kv_cache_memory_bytes", "num_gpu_blocks_override", "gpu_memory_utilization")
_GOES_ON = {
    "scheduler_cls": "inferno_backend.vllm_engine.scheduler.ResumingScheduler",
    "worker_cls": "inferno_backend.vllm_engine.worker.ResumingWorker",
}
# How this engine differs from vLLM's defaults, where model.json does not say otherwise.
_OURS: Mapping[str, Any] = _GOES_ON | {
    "scheduling_policy": "priority",
    # Else the arguments of tools that are forced may break their schema.
    "tool_strict_level": "parameter",
    # No address is fetched for a client: pictures come within the request. An empty list would allow all.
    "allowed_media_domains": ["invalid."],
}


class Core:
    """Makes requests of rendered prompts, and knows what the core can do. `served`: arguments of the serving layer.

    `goes_on` says whether it can go on from tokens, `preemption` which type of event tells of one. `adapters` are
    LoRA's, by name; None where they are off.
    """

    def __init__(self, name: str, arguments: Mapping[str, Any], adapters: Mapping[str, Path] | None = None) -> None:
        """Start it; blocks until its weights are loaded. Raises ValueError for an argument that is unknown."""
        self.name = name
        self.preemption = int(compat.PREEMPTED)
        arguments = _complete(arguments, len(adapters or ()))
        self.adapters = None if adapters is None else compat.adapters(adapters)
        self.served = compat.served_arguments(name, arguments)
        self.config = compat.engine_config(arguments)
        # The engine applies a grammar where its own reasoning parser says so: both must have the same one.
        self.served.structured_outputs_config = self.config.structured_outputs_config
        self.goes_on = all(arguments[key] == value for key, value in _GOES_ON.items())
        self.renderer = compat.renderer_from_config(self.config)
        self.inputs = compat.InputProcessor(self.config, self.renderer)
        self.outputs = compat.ResumingOutputProcessor(
            self.renderer.tokenizer,
            log_stats=False,
            stream_interval=self.config.scheduler_config.stream_interval,
        )
        # Of such an event's type, too: it tells when a request was given its slot.
        self.scheduling = int(compat.SCHEDULED)
        self.client = compat.core_client(self.config, self.renderer)
        self.tasks: tuple[str, ...] = ()

    async def settle(self) -> None:
        """Ask the core what it can do, and have it load all adapters; comes before any request.

        One that it can't load would end the whole engine at the first request for it. Raises ValueError that names it.
        """
        self.tasks = await self.client.get_supported_tasks_async()
        for name, adapter in (self.adapters or {}).items():
            try:
                await self.client.add_lora_async(adapter)
            except Exception as error:
                raise ValueError(f"multi_lora.json: adapter {name!r} can't be loaded: {error}") from error

    def adapter(self, asked: Mapping[str, Any]) -> Any:
        """Give the adapter that a call asks for, or None. Raises InvalidRequest."""
        return lora.pick(asked, self.adapters)

    async def ping(self) -> None:
        """Return once the core has answered, which it does between two steps."""
        await self.client.call_utility_async("is_scheduler_paused")

    def close(self) -> None:
        """End its processes, hung ones too, and its threads."""
        self.client.shutdown(timeout=_SHUTDOWN_S)
        self.renderer.shutdown()

    @property
    def errored(self) -> bool:
        """Whether the core is gone."""
        return bool(self.client.resources.engine_dead)

    @property
    def context(self) -> int:
        """The longest prompt and answer together, in tokens."""
        return int(self.config.model_config.max_model_len)

    @property
    def slots(self) -> int:
        """How many choices run at once."""
        return int(self.config.scheduler_config.max_num_seqs)

    @property
    def vocabulary(self) -> int:
        """How many tokens there are."""
        return int(self.config.model_config.get_vocab_size())

    def request(self, id: str, prompt: Any, params: Any, priority: int, **more: Any) -> compat.EngineCoreRequest:
        """Make a request of a rendered prompt. Raises what vLLM does; here it finds a grammar that can't be."""
        # vLLM refuses any other unless it schedules by priority.
        by_priority = self.config.scheduler_config.policy == "priority"
        request = self.inputs.process_inputs(
            id, prompt, params, supported_tasks=self.tasks, priority=priority if by_priority else 0, **more
        )
        # Ids are unique as they come, so outputs go by them.
        request.external_req_id = id
        return request

    async def prompt(self, prompt: str | Sequence[int]) -> Any:
        """Render a prompt given as text or as token ids, in the renderer's threads."""
        given = prompt if isinstance(prompt, str) else {"prompt_token_ids": list(prompt)}
        parsed = compat.parse_model_prompt(self.config.model_config, given)
        (rendered,) = await self.renderer.render_cmpl_async([parsed], self.renderer.default_cmpl_tok_params)
        return rendered

    def error(self, raised: Exception, asked: Mapping[str, Any]) -> InfernoError:
        """Put an exception raised at what was `asked` into the platform's words."""
        if self.errored and not isinstance(raised, InfernoError):
            return EngineFailed("The engine stopped while it worked on this request; try again.")
        return compat.error(raised, asked, self.context)

    def refusal(self, error: Mapping[str, Any], asked: Mapping[str, Any]) -> InfernoError:
        """Put vLLM's error object about what was `asked` into the platform's words."""
        status, said = int(error.get("code") or 500), str(error.get("message"))
        return refusal(status, said, error.get("param"), asked, self.context)


def _complete(arguments: Mapping[str, Any], adapters: int) -> dict[str, Any]:
    """Fill in what model.json leaves open."""
    complete = dict(_OURS) | dict(arguments)
    if compat.is_cpu() and not any(key in arguments for key in _KV_CACHE_SIZES):
        complete["kv_cache_memory_bytes"] = machine.kv_cache_bytes(Path(str(arguments.get("model", ""))))
    if adapters:
        # By vLLM's default, whoever asks for another adapter than is in use waits for as long as that is asked for.
        held = complete.setdefault("max_loras", min(adapters, _LORAS_A_STEP))
        # What is in memory need not be read again later, when its folder may have gone: that would end the engine.
        complete.setdefault("max_cpu_loras", max(adapters, held))
    return complete
