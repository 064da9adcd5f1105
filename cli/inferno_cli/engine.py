"""`inferno engine`: finds the fastest settings for a model on this machine, and writes the backend for another."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import App, Parameter
from rich.console import Console
from rich.live import Live

from inferno_cli.configuration import read_settings
from inferno_cli.progress import shown
from inferno_cli.tuning import Sheet
from inferno_core.errors import InvalidRequest, NotFound
from inferno_engine import bundle as engine_bundle
from inferno_engine import machine
from inferno_engine.tuning import bench, factors, target, tuner
from inferno_engine.tuning.factors import FACTORS, Factor, Machine
from inferno_engine.tuning.settings import Settings
from inferno_local.checkout import ROOT

engine = App(name="engine", help="Look after engines.")
Only = Annotated[str, Parameter(name="--factors")]
Switch = Parameter(negative="")


@engine.command
def tune(
    model: str = "smollm2",
    /,
    *,
    output: Path | None = None,
    weights: Path | None = None,
    engine_args: Path | None = None,
    quick: Annotated[bool, Switch] = False,
    only: Only = "",
    fresh: Annotated[bool, Switch] = False,
) -> None:
    """Find the fastest settings for a model on this machine.

    Tries one setting at a time against the best so far, both served by Triton side by side, at 1, 8 and 32 streams.
    What does not answer as transformers does in float32 is out. Interrupted, it goes on where it was. Let the machine
    do nothing else meanwhile.

    Parameters
    ----------
    model
        Its name in model_repository.
    output
        File for the best settings, as engine arguments in JSON: what model.json holds. Without: the terminal.
    weights
        Folder of the model's weights, for a model that the platform does not bring.
    engine_args
        File with the settings to begin with, in JSON. Without: the model's own model.json.
    quick
        Only the settings that matter most, measured shortly.
    only
        Only these settings, comma-separated.
    fresh
        Forget what an interrupted search measured.

    """
    console = Console(highlight=False, soft_wrap=True)
    wanted = _factors(only, quick=quick)
    _check_output(output)
    start = target.settings(ROOT, model, engine_args)
    with shown(console) as report:
        tuned = target.find(ROOT, model, weights, report)
    folder = read_settings().home.resolve() / "tune" / model
    if fresh:
        (folder / "journal.jsonl").unlink(missing_ok=True)
    best = _run(console, tuned, bench.QUICK if quick else bench.THOROUGH, folder, start, wanted)
    _write(console, best, output)


@engine.command
def bundle(folder: Path, /) -> None:
    """Write our Triton backend into a folder, for a Triton that the platform does not start.

    Parameters
    ----------
    folder
        It is made. Mounted as `vllm` in that Triton's backend directory, it takes the place of the stock backend;
        model_repository/README.md tells how.

    """
    if folder.exists():
        raise InvalidRequest(f"{folder} is there already: remove it, or name another folder.")
    engine_bundle.backend(folder.resolve())
    Console(highlight=False, soft_wrap=True).print(f"The backend stands in {folder}.")


def _run(
    console: Console, tuned: bench.Target, plan: bench.Plan, folder: Path, start: Settings, wanted: Sequence[Factor]
) -> Settings:
    seen = machine.look()
    here = Machine(seen.cores, seen.memory_available_bytes, factors.libraries(tuned.environment.root))
    sheet = Sheet(console, plan)
    with Live(get_renderable=sheet.table, console=console, refresh_per_second=1, transient=not console.is_terminal):
        try:
            return asyncio.run(tuner.Tuner(tuned, plan, folder, sheet.report).run(start, wanted, here))
        except KeyboardInterrupt:
            console.print("Interrupted. The same command goes on from here; --fresh begins anew.")
            raise


def _factors(only: str, *, quick: bool) -> Sequence[Factor]:
    names = [name.strip() for name in only.split(",") if name.strip()]
    known = {factor.name: factor for factor in FACTORS}
    unknown = next((name for name in names if name not in known), None)
    if unknown is not None:
        raise NotFound(f"There is no setting {unknown!r} to try. There are: {', '.join(known)}.")
    if names:
        return [known[name] for name in names]
    return [factor for factor in FACTORS if factor.quick or not quick]


def _check_output(output: Path | None) -> None:
    """Find out now, not after an hour."""
    if output is not None and not output.resolve().parent.is_dir():
        raise InvalidRequest(f"--output {output}: there is no folder {output.resolve().parent}.")


def _write(console: Console, best: Settings, output: Path | None) -> None:
    text = msgspec.json.format(msgspec.json.encode(best.document())).decode()
    if output is None:
        console.print(text, markup=False)
        return
    output.write_text(text + "\n")
    console.print(f"The best settings stand in {output}.")
