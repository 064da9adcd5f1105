"""An engine's gauges on a real Triton's page of metrics."""

import json
import time
import urllib.request
from collections.abc import Callable

import pytest
from serving import Server, Stream, ask, chat

pytestmark = pytest.mark.stack

LONG = {"openai_surface": "completion", "openai_body": json.dumps({"prompt": "long", "max_tokens": 5000})}


def page(server: Server) -> dict[str, float]:
    """Read what the version 1 of the model is told to do, by name and, of a bucket, its bound."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.ports.metrics}/metrics", timeout=10) as response:
        lines = [line for line in response.read().decode().splitlines() if line.startswith("vllm:")]
    told = {}
    for line in lines:
        name, labels, value = line.replace("}", "{").split("{")
        assert 'model="synthetic"' in labels
        bound = labels.split('le="')[1].split('"')[0] if 'le="' in labels else ""
        if 'version="1"' in labels:
            told[name + bound] = float(value)
    return told


def until(server: Server, is_so: Callable[[dict[str, float]], bool]) -> dict[str, float]:
    """Read the page until it is so: the backend tells it once a second, and nobody of it."""
    deadline = time.monotonic() + 10
    while not is_so(told := page(server)):
        assert time.monotonic() < deadline, told
        time.sleep(0.05)
    return told


def test_the_page_counts_what_was_generated(synthetic: Server):
    before = page(synthetic)
    chat(synthetic.address, "synthetic", max_tokens=7, n=3)
    name = "vllm:generation_tokens_total"
    after = until(synthetic, lambda told: told[name] >= before.get(name, 0) + 21)
    assert after[name] == before.get(name, 0) + 21
    assert after["vllm:prompt_tokens_total"] == before.get("vllm:prompt_tokens_total", 0) + 4
    first, between = "vllm:time_to_first_token_seconds", "vllm:inter_token_latency_seconds"
    assert after[f"{first}_count"] == before.get(f"{first}_count", 0) + 3
    assert after[f"{between}_count"] == before.get(f"{between}_count", 0) + 18
    for each in (first, between, "vllm:engine_step_seconds"):
        assert after[f"{each}_bucket+Inf"] == after[f"{each}_count"] >= after[f"{each}_bucket0.05"]
        assert after[f"{each}_sum"] > 0


def test_the_page_shows_what_runs_and_what_waits(synthetic: Server):
    holding = [Stream(synthetic.address, "synthetic", LONG) for _ in range(66)]
    told = until(synthetic, lambda told: told["vllm:num_requests_running"] == 64)
    assert told["vllm:num_requests_waiting"] == 2
    assert 0 < told["vllm:kv_cache_usage_perc"] < 1
    for stream in holding:
        stream.hang_up()
    until(synthetic, lambda told: told["vllm:num_requests_running"] == 0 == told["vllm:kv_cache_usage_perc"])


def test_one_that_waits_can_be_cancelled(synthetic: Server):
    holding = [Stream(synthetic.address, "synthetic", LONG) for _ in range(64)]
    until(synthetic, lambda told: told["vllm:num_requests_running"] == 64)
    waiting = Stream(synthetic.address, "synthetic", LONG)
    until(synthetic, lambda told: told["vllm:num_requests_waiting"] == 1)
    waiting.hang_up()
    told = until(synthetic, lambda told: told["vllm:num_requests_waiting"] == 0)
    assert told["vllm:num_requests_running"] == 64
    for stream in holding:
        stream.hang_up()
    until(synthetic, lambda told: told["vllm:num_requests_running"] == 0)


def test_triton_outlives_one_of_two_versions_that_share_its_metrics(own_synthetic: Server):
    """Triton 2.51 dies if a process lets go of metrics that another one has, too."""
    folder = own_synthetic.run_folder / "repository" / "synthetic"
    (folder / "2").mkdir()
    (folder / "2" / "model.json").write_text((folder / "1" / "model.json").read_text())
    own_synthetic.load("synthetic")
    config = (folder / "config.pbtxt").read_text()
    for versions in ("1", "2", "1", "1,2"):
        specific = config.replace("all { }", f"specific {{ versions: [{versions}] }}")
        (folder / "config.pbtxt").write_text(specific)
        own_synthetic.load("synthetic")
        said = ask(own_synthetic.address, "synthetic", **LONG | {"openai_body": json.dumps({"prompt": "p"})})
        assert said.text()
    name = "vllm:num_requests_running"
    assert until(own_synthetic, lambda told: name in told)[name] == 0
