"""How `inferno` reaches the supervisor of a home folder, and starts one where there is none."""

import os
import subprocess
import sys
import time
from pathlib import Path

from inferno_core.errors import Unavailable
from inferno_local import control
from inferno_local.control import Answer, Question
from inferno_local.explain import last_words, written
from inferno_local.home import Home
from inferno_local.report import StackReport, Wanted

STATUS_S = 5.0
APPLY_S = 120.0
STOP_S = 90.0
START_S = 30.0
_POLL_S = 0.02


class Client:
    """Asks the supervisor of one home."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def status(self, *, memory: bool = False) -> StackReport | None:
        """What runs, or None if no supervisor does. `memory`: with how much each process holds."""
        answer = self._ask(Question(do="status", memory=memory), STATUS_S)
        return answer.report if answer else None

    def apply(self, wanted: Wanted) -> tuple[StackReport, bool]:
        """Make the stack that is `wanted`. Gives how it stands, and whether anything was changed."""
        answer = self._ask(Question(do="apply", wanted=wanted), APPLY_S)
        if answer is None or answer.report is None:
            raise Unavailable(f"The supervisor is gone. See {self._home.log('supervisor')}.")
        return answer.report, answer.changed

    def restart(self, name: str) -> None:
        """Restart one process; returns when it is ready again."""
        if self._ask(Question(do="restart", name=name), STOP_S) is None:
            raise Unavailable(f"No stack runs in {self._home.root}. Start it with `inferno up`.")

    def down(self) -> bool:
        """Stop everything, and return when the supervisor has let go of the home. False: there was none."""
        if self._ask(Question(do="down"), STOP_S) is None:
            return False
        deadline = time.monotonic() + STOP_S
        while self._home.is_supervised():
            if time.monotonic() > deadline:
                raise Unavailable(f"The supervisor does not leave. See {self._home.log('supervisor')}.")
            time.sleep(_POLL_S)
        return True

    def start(self) -> None:
        """Start a supervisor that outlives this process, and return when it answers."""
        log = self._home.log("supervisor")
        before = written(log)
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "inferno_cli.run", "supervisor"],
                cwd=self._home.root,
                env={**os.environ, "INFERNO_HOME": str(self._home.root)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._await_answer(process, log, before)

    def _await_answer(self, process: "subprocess.Popen[bytes]", log: Path, before: int) -> None:
        deadline = time.monotonic() + START_S
        while self.status() is None:
            if process.poll() is not None:
                said = last_words(log, before).strip().splitlines()
                raise Unavailable(said[-1] if said else f"The supervisor ended with {process.returncode}.")
            if time.monotonic() > deadline:
                process.kill()
                raise Unavailable(f"The supervisor did not start within {START_S:.0f} s. See {log}.")
            time.sleep(_POLL_S)

    def _ask(self, question: Question, timeout_s: float) -> Answer | None:
        return control.ask(self._home.control, question, timeout_s)
