"""The backend's source is no part of the platform's packages; its pure modules are tested from where they stand."""

import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from inferno_engine import bundle, environment, triton

sys.path[:0] = [str(bundle.SOURCE / "vllm"), str(Path(__file__).parent), str(Path(__file__).parent / "backend")]

from serving import ROOT, Server, serve  # noqa: E402 - found by the path above


@pytest.fixture(scope="session")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Triton that serves the synthetic model, from a folder whose path has a space."""
    with serve_synthetic(tmp_path_factory.mktemp("a triton")) as server:
        yield server


def serve_synthetic(folder: Path, parameters: Mapping[str, str] | None = None, **arguments: Any):
    """Start one, with more parameters of config.pbtxt and other arguments of the engine; a context manager."""
    model = triton.repository(folder) / "synthetic"
    shutil.copytree(ROOT / "model_repository" / "synthetic", model)
    with (model / "config.pbtxt").open("a") as config:
        for key, value in (parameters or {}).items():
            config.write(f'parameters {{ key: "{key}" value: {{ string_value: "{value}" }} }}\n')
    file = model / "1" / "model.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | arguments))
    return _Loaded(serve(environment.ensure_triton_environment(ROOT), folder))


class _Loaded:
    def __init__(self, serving) -> None:
        self._serving = serving

    def __enter__(self) -> Server:
        server = self._serving.__enter__()
        server.load("synthetic")
        return server

    def __exit__(self, *error) -> None:
        self._serving.__exit__(*error)


@pytest.fixture
def own_synthetic(tmp_path: Path) -> Iterator[Server]:
    """A Triton of a test's own, to be harmed."""
    with serve_synthetic(tmp_path / "triton") as server:
        yield server
