"""Whether an engine answers as it should: each prompt alone, and all at once, since a batch may change words."""

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from inferno_engine.environment import Environment
from inferno_engine.errors import SetupFailed
from inferno_engine.tuning import prompts, reference

_TIMEOUT_S = 900.0

Answers = Sequence[Sequence[int]]


class Answering(Protocol):
    """An engine that can be asked."""

    async def answers(self, bodies: Sequence[Mapping[str, Any]]) -> Answers:
        """Give the tokens that chat bodies are answered with. Raises InfernoError."""
        ...


async def ask(engine: Answering) -> tuple[Answers, Answers]:
    """Have the prompts answered one after the other, and all at once."""
    bodies = prompts.bodies()
    alone = [(await engine.answers([body]))[0] for body in bodies]
    return alone, await engine.answers(bodies)


def disagreement(expected: Answers, alone: Answers, together: Answers) -> str:
    """Say how many answers are not those expected; empty if all are."""
    wrong = [
        sum(list(mine) != list(theirs) for mine, theirs in zip(expected, given, strict=True))
        for given in (alone, together)
    ]
    if not any(wrong):
        return ""
    return f"{wrong[0]} of {len(expected)} answers differ alone, {wrong[1]} in a batch"


async def transformers_answers(environment: Environment, weights: Path) -> Answers:
    """Have transformers answer the prompts in float32. Takes half a minute. Raises SetupFailed."""
    argv = [str(environment.python), "-I", reference.__file__, str(weights)]
    # Threads that spin while others need the cores would make minutes of it.
    env = os.environ | {"HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1", "OMP_WAIT_POLICY": "passive"}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*argv, env=env, stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            said, complaints = await process.communicate(json.dumps(prompts.bodies()).encode())
    except TimeoutError:
        raise SetupFailed(f"transformers did not answer within {_TIMEOUT_S:.0f} s.") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        words = " ".join(complaints.decode(errors="replace").strip().splitlines()[-1:])
        raise SetupFailed(f"transformers can't run the model in {weights}. It says: {words}")
    answers: Answers = json.loads(said)
    return answers
