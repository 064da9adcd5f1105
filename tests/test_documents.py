"""docs/observability.md is held to the code: every metric, span attribute, log fact and setting that it names is there,
and all that are there are named.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

import inferno_api.telemetry.tracing
import inferno_stream.runs
import inferno_stream.spans
from inferno_api.exchange import PARAMETERS, Exchange
from inferno_api.telemetry import access_log
from inferno_api.telemetry.metrics import Metrics as ApiMetrics
from inferno_api.telemetry.tracing import PARAMETER_NAMES
from inferno_core.settings_page import page
from inferno_stream.metrics import Metrics as WorkerMetrics
from inferno_stream.otlp import OtlpTracer

DOCUMENT = (Path(__file__).parents[1] / "docs/observability.md").read_text()
_ATTRIBUTE = re.compile(r'"((?:gen_ai|messaging|http|server|inferno)\.[a-z_.]+)"')


def section(title: str) -> str:
    """Give the text below a heading, up to the next one of its rank or above."""
    marks, _, rest = DOCUMENT.partition(f" {title}\n")
    rank = len(marks) - len(marks.rstrip("#"))
    return re.split(rf"^#{{1,{rank}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def first_cells(title: str) -> set[str]:
    """Give what the rows of a section's tables are about."""
    return set(re.findall(r"^\| `([^`]+)` \|", section(title), re.MULTILINE))


def rows(registry: CollectorRegistry) -> Iterator[str]:
    """Write each family as a row of the table, but for those that every Python process has."""
    for collector in registry._collector_to_names:
        for family in collector.collect():
            if family.name.startswith(("process_", "python_")):
                continue
            names = getattr(collector, "_labelnames", None) or getattr(family, "_labelnames", ())
            labels = ", ".join(f"`{name}`" for name in names)
            total = "_total" if family.type == "counter" else ""
            yield f"| `{family.name}{total}` | {family.type} | {labels} | {family.documentation} |"


def _api() -> CollectorRegistry:
    return ApiMetrics().registry


def _worker() -> CollectorRegistry:
    return WorkerMetrics().registry


def _spans() -> CollectorRegistry:
    registry = CollectorRegistry()
    OtlpTracer("http://127.0.0.1:1", service="test", instance="test", ratio=0, registry=registry)
    return registry


@pytest.mark.parametrize(("title", "registry"), [("API", _api), ("Worker", _worker), ("Spans sent", _spans)])
def test_every_metric_has_its_row_and_every_row_its_metric(title: str, registry: object) -> None:
    assert callable(registry)
    said = {line for line in section(title).splitlines() if re.match(r"\| `(inferno|gen_ai)_", line)}
    assert said == set(rows(registry()))


def test_every_attribute_of_a_span_is_named() -> None:
    sources = [
        Path(module.__file__ or "").read_text() for module in (inferno_api.telemetry.tracing, inferno_stream.spans)
    ]
    written = {name for source in sources for name in _ATTRIBUTE.findall(source)}
    written |= {PARAMETER_NAMES.get(name, f"gen_ai.request.{name}") for name in PARAMETERS} | {"error.type"}
    assert first_cells("Attributes") == written


def test_every_fact_of_a_log_line_is_named() -> None:
    request = access_log.facts(Exchange("id", generation_id="chatcmpl-1"), "GET", "/")
    failure = re.findall(r'^ +"(\w+)": ', Path(inferno_stream.runs.__file__ or "").read_text(), re.MULTILINE)
    assert first_cells("Facts") == {"time", "level", "logger", "message", "exception", *request, *failure}


def test_every_setting_that_is_named_is_one() -> None:
    named = set(re.findall(r"INFERNO_[A-Z_]+[A-Z]", DOCUMENT))
    assert named
    assert named <= set(re.findall(r"INFERNO_[A-Z_]+[A-Z]", page()))
