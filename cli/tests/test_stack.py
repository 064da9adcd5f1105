import json

from inferno_cli.stack import _as_json
from inferno_local.report import ProcessReport, StackReport


def test_the_json_has_the_processes_and_no_tasks() -> None:
    ready = ProcessReport("api-0", 7, "ready", 1, "2026-01-01T00:00:00+00:00", 5, cause="was killed by SIGKILL")
    task = ProcessReport("migrate", None, "done", 0, "2026-01-01T00:00:00+00:00", 0, task=True)
    document = json.loads(_as_json(StackReport("http://x", ["http://x"], [ready, task], {"kafka": "h:1"})))
    process = {
        "name": "api-0",
        "pid": 7,
        "state": "ready",
        "restarts": 1,
        "since": "2026-01-01T00:00:00+00:00",
        "rss_bytes": 5,
    }
    assert document == {"url": "http://x", "processes": [process], "endpoints": {"kafka": "h:1"}}
