"""The guide's programs do what it says, typed as they stand."""

import asyncio
import os
import re
import subprocess
import sys

import pytest
from tests.contract.conftest import platform_of

from inferno_core import errors
from tests.conftest import CHECKOUT, Stack

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

GUIDE = (CHECKOUT / "docs" / "api.md").read_text()
PROGRAMS = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("program", PROGRAMS)
async def test_its_programs_run(stack: Stack, program: str) -> None:
    platform = platform_of(stack, "synthetic")
    env = os.environ | {"OPENAI_BASE_URL": platform.base_url, "OPENAI_API_KEY": platform.key}
    argv = [sys.executable, "-c", program]
    ran = await asyncio.to_thread(subprocess.run, argv, env=env, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip()


def test_it_names_every_code_that_a_client_may_see() -> None:
    said = set(re.findall(r"`([a-z_]+)`", GUIDE))
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.InfernoError)}
    inner = {errors.InfernoError.code, errors.Fenced.code, errors.EngineLost.code}
    assert {kind.code for kind in kinds} - inner <= said
