"""What an agent reads of Triton's metrics: how busy each version's engine is, under vLLM's own names."""

import re
from collections.abc import Callable
from typing import NamedTuple

import httpx

_TIMEOUT_S = 2.0
# A page has thousands of lines, read every other second: these alone are looked at.
_LINE = re.compile(r"^vllm:(\w+)\{([^}]*)\} (\S+)", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


class Gauges(NamedTuple):
    """How an engine stands; `generated` counts tokens since its start."""

    running: int = 0
    waiting: int = 0
    kv_cache_usage: float = 0.0
    generated: int = 0


_FIELDS: dict[str, tuple[str, Callable[[float], float]]] = {
    "num_requests_running": ("running", int),
    "num_requests_waiting": ("waiting", int),
    "kv_cache_usage_perc": ("kv_cache_usage", float),
    "generation_tokens_total": ("generated", int),
    "generation_tokens": ("generated", int),
}


class GaugesReader:
    """Reads the metrics of the Triton at `address`, `host:port`; of none if that is empty."""

    def __init__(self, address: str) -> None:
        self._client = httpx.AsyncClient(timeout=_TIMEOUT_S, trust_env=False)
        self._url = f"http://{address}/metrics" if address else ""

    async def read(self) -> dict[tuple[str, str], Gauges]:
        """Give the gauges by name and version; nothing where they can't be had."""
        if not self._url:
            return {}
        try:
            response = await self._client.get(self._url)
        except httpx.HTTPError:
            return {}
        return parse(response.text) if response.is_success else {}

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()


def parse(page: str) -> dict[tuple[str, str], Gauges]:
    """Take the gauges out of a page in Prometheus' text format."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    for name, text, value in _LINE.findall(page):
        field = _FIELDS.get(name)
        labels = dict(_LABEL.findall(text))
        if field and "version" in labels:
            key = (labels.get("model") or labels.get("model_name", ""), labels["version"])
            found.setdefault(key, {})[field[0]] = field[1](float(value))
    return {key: Gauges(**values) for key, values in found.items()}  # type: ignore[arg-type] # each of its own type
