import uuid
from pathlib import Path

from serving import ROOT

from inferno_engine import shared_memory, triton
from inferno_engine.environment import ensure_triton_environment


def test_the_command_listens_on_loopback_alone_and_loads_nothing_by_itself(tmp_path: Path):
    run_folder = tmp_path / "with a space" / "triton-0"
    run_folder.mkdir(parents=True)
    command = triton.command(ensure_triton_environment(ROOT), run_folder, triton.Ports(1, 2, 3), "triton-0")
    flags = dict(flag.removeprefix("--").split("=", 1) for flag in command.argv[1:] if "backend-config" not in flag)
    assert {flags[f"{kind}-address"] for kind in ("grpc", "http", "metrics")} == {"127.0.0.1"}
    assert (flags["grpc-port"], flags["http-port"], flags["metrics-port"]) == ("1", "2", "3")
    assert flags["model-control-mode"] == "explicit"
    # Triton hands these to a shell without quotes.
    assert not any(" " in flags[name] for name in ("model-repository", "backend-directory"))
    assert command.cwd == run_folder
    # A running Triton is asked about in the same way.
    assert list(run_folder.iterdir()) == []


def test_a_new_life_finds_its_folders_and_backends(tmp_path: Path):
    run_folder = tmp_path / "triton-0"
    left = Path("/dev/shm", shared_memory.prefix(run_folder) + "left")
    left.touch()
    triton.prepare(ensure_triton_environment(ROOT), run_folder)
    assert not left.exists()
    assert (run_folder / "backends" / "vllm" / "inferno_core" / "errors.py").is_file()
    command = triton.command(ensure_triton_environment(ROOT), run_folder, triton.Ports(1, 2, 3), "triton-0")
    assert Path(command.env["TMPDIR"]).is_dir()


def test_the_engines_sockets_fit_in_a_folder_of_any_length(tmp_path: Path):
    run_folder = tmp_path / ("long" * 30)
    command = triton.command(ensure_triton_environment(ROOT), run_folder, triton.Ports(1, 2, 3), "triton-0")
    sockets = command.env["VLLM_RPC_BASE_PATH"]
    assert len(f"{sockets}/{uuid.uuid4()}") <= 107
    assert command.cwd / sockets == Path(command.env["TMPDIR"])


def test_nothing_secret_of_the_caller_reaches_triton(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("INFERNO_SECRETS__ID_KEY", "x" * 32)
    command = triton.command(ensure_triton_environment(ROOT), tmp_path, triton.Ports(1, 2, 3), "triton-0")
    assert "x" * 32 not in command.env.values()
    assert [name for name in command.env if name.startswith("INFERNO")] == ["INFERNO_TRITON_HTTP"]
