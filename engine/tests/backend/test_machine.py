import os
from pathlib import Path

import pytest
from inferno_backend import machine

GIGABYTE = 1 << 30


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    clean = {"PATH": "/usr/bin", "OMP_NUM_THREADS": "7"}
    monkeypatch.setattr(os, "environ", clean)
    return clean


def test_the_environment_of_a_model_stands_above_the_process_own(environ: dict[str, str]):
    arguments = {"dtype": "float32", "environment": {"OMP_NUM_THREADS": "2", "LD_PRELOAD": "/lib/jemalloc.so"}}
    assert machine.settle(arguments) == {"dtype": "float32"}
    assert environ["OMP_NUM_THREADS"] == "2"
    assert environ["LD_PRELOAD"] == "/lib/jemalloc.so"


def test_defaults_stand_below_the_process_own(environ: dict[str, str]):
    machine.settle({})
    assert environ["OMP_NUM_THREADS"] == "7"
    assert environ["VLLM_ENABLE_V1_MULTIPROCESSING"] == "0"
    assert "TORCHDYNAMO_DISABLE" not in environ


@pytest.mark.parametrize(("cores", "expected"), [(1, 1), (2, 2), (3, 2), (16, 15)])
def test_threads_leave_a_core_where_there_are_several(cores: int, expected: int):
    assert machine.defaults({}, cores)["OMP_NUM_THREADS"] == str(expected)


def test_an_eager_engine_compiles_nothing():
    assert machine.defaults({"enforce_eager": True}, 2)["TORCHDYNAMO_DISABLE"] == "1"


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ("OMP_NUM_THREADS=2", "must be an object"),
        ({"OMP_NUM_THREADS": 2}, "write it as a string"),
        ({"PATH": "/bin"}, "may not set PATH"),
    ],
)
def test_what_is_no_environment_is_refused(environ: dict[str, str], environment: object, said: str):
    with pytest.raises(ValueError, match=said):
        machine.settle({"environment": environment})
    assert environ["OMP_NUM_THREADS"] == "7"


@pytest.mark.parametrize(
    ("free", "weights", "expected"),
    [
        (24 * GIGABYTE, 0, 4 * GIGABYTE),
        (6 * GIGABYTE, 0, 2 * GIGABYTE),
        (6 * GIGABYTE, GIGABYTE, GIGABYTE),
        (1 * GIGABYTE, 0, GIGABYTE // 4),
    ],
)
def test_the_kv_cache_takes_half_of_what_is_left_in_bounds(tmp_path: Path, free: int, weights: int, expected: int):
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.truncate(weights)
    assert machine.kv_cache_bytes(tmp_path, free) == expected


@pytest.mark.parametrize(
    ("limit", "expected"), [("max", 8 * GIGABYTE), (str(4 * GIGABYTE), GIGABYTE), (str(64 * GIGABYTE), 8 * GIGABYTE)]
)
def test_a_control_group_bounds_what_is_free(tmp_path: Path, limit: str, expected: int):
    for name, text in {
        "proc/meminfo": f"MemTotal: 1 kB\nMemAvailable: {8 * GIGABYTE // 1024} kB\n",
        "sys/fs/cgroup/memory.max": f"{limit}\n",
        "sys/fs/cgroup/memory.current": f"{3 * GIGABYTE}\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert machine.available_memory_bytes(tmp_path) == expected


def test_this_machine_has_memory():
    assert machine.available_memory_bytes() > 0
