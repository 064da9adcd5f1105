from pathlib import Path

import pytest

from inferno_engine.tuning import factors
from inferno_engine.tuning.factors import FACTORS, Machine
from inferno_engine.tuning.settings import Settings

MACHINE = Machine(2, 16 << 30, {"tcmalloc": Path("/lib/tcmalloc.so"), "Intel OpenMP": Path("/lib/libiomp5.so")})
BY_NAME = {factor.name: factor for factor in FACTORS}


def tried(name: str, settings: Settings, machine: Machine = MACHINE) -> dict[str, Settings]:
    return {value: settings.changed(change) for value, change in BY_NAME[name].values(machine, settings).items()}


@pytest.mark.parametrize("factor", FACTORS)
def test_every_setting_says_what_it_is_and_has_distinct_values(factor: factors.Factor):
    values = tried(factor.name, Settings({}, {}))
    assert factor.what
    assert len({settings.key for settings in values.values()}) == len(values)


def test_the_issue_s_list_is_covered():
    assert set(BY_NAME) >= {
        *("dtype", "compile", "threads", "binding", "block_size", "max_num_seqs", "max_num_batched_tokens"),
        *("prefix_cache", "async_scheduling", "allocator", "kv_cache"),
    }


@pytest.mark.parametrize(
    ("cores", "counts"), [(1, {None, "1"}), (2, {None, "1", "2"}), (8, {None, "1", "4", "7", "8"})]
)
def test_threads_follow_the_cores(cores: int, counts: set[str | None]):
    values = tried("threads", Settings({}, {}), MACHINE._replace(cores=cores))
    assert {settings.environment.get("OMP_NUM_THREADS") for settings in values.values()} == counts


def test_an_allocator_and_a_runtime_are_preloaded_together():
    settings = tried("openmp", Settings({}, {}))["Intel OpenMP"]
    assert settings.environment == {"LD_PRELOAD": "/lib/libiomp5.so"}
    both = tried("allocator", settings)
    assert both["tcmalloc"].environment["LD_PRELOAD"] == "/lib/tcmalloc.so:/lib/libiomp5.so"
    assert both["glibc"] == settings
    assert "jemalloc" not in both


def test_the_kv_cache_is_bounded_by_what_is_free():
    values = tried("kv_cache", Settings({}, {}), MACHINE._replace(available_bytes=3 << 30))
    assert set(values) == {"256 MB", "1024 MB"}


def test_libraries_are_found_where_the_environment_has_them(tmp_path: Path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "libiomp5.so").touch()
    assert factors.libraries(tmp_path)["Intel OpenMP"] == tmp_path / "lib" / "libiomp5.so"
