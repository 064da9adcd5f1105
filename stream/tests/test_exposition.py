import socket

import httpx
from prometheus_client import CollectorRegistry, Counter

from inferno_stream.exposition import serve


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_serves_metrics_and_health() -> None:
    registry = CollectorRegistry()
    Counter("things", "Things.", registry=registry).inc()
    trouble: list[str] = []
    with serve(free_port(), registry, lambda: trouble[0] if trouble else None) as port:
        url = f"http://127.0.0.1:{port}"
        assert "things_total 1.0" in httpx.get(f"{url}/metrics").text
        assert httpx.get(f"{url}/healthz").status_code == 200
        assert httpx.get(f"{url}/other").status_code == 404
        trouble.append("Kafka is away.")
        answer = httpx.get(f"{url}/healthz")
        assert (answer.status_code, answer.text) == (503, "Kafka is away.\n")


def test_no_port_serves_nothing() -> None:
    with serve(0, CollectorRegistry(), lambda: None) as port:
        assert port == 0
