"""A second real model of another kind, made from a configuration: as it is added, loaded by an agent, and served."""

import asyncio
import json
from pathlib import Path

import embedding_model
import pytest
from presence import Notices, in_state
from serving import ROOT, ask, serve

from inferno_core.hosts import ModelState
from inferno_engine import desired, engine_arguments, environment, triton, weights_folder
from inferno_engine.agent import Agent, Post
from inferno_engine.control import TritonControl
from inferno_engine.desired import DesiredModel

pytestmark = [pytest.mark.real, pytest.mark.timeout(400)]

TEXTS = ["hello world", "something else"]


def write(folder: Path, arguments: dict[str, object]) -> Path:
    """A folder as in model_repository."""
    (folder / "1").mkdir(parents=True)
    (folder / "config.pbtxt").write_text((ROOT / "model_repository" / "smollm2" / "config.pbtxt").read_text())
    (folder / "1" / "model.json").write_text(json.dumps(arguments))
    return folder


async def test_an_agent_serves_what_transformers_says(tmp_path: Path):
    made = environment.ensure_vllm_environment(ROOT)
    expected = await asyncio.to_thread(embedding_model.make, made, tmp_path / "weights", TEXTS)
    found = weights_folder.look(tmp_path / "weights")
    source = write(tmp_path / "source", engine_arguments.complete({"max_num_seqs": 4}, found, ROOT))
    model = DesiredModel(
        "vectors", "1", str(source), str(found.path), found.digest, files=found.files, tasks=found.tasks
    )
    desired.write(tmp_path / "desired.json", [model])
    notices = Notices()
    with serve(made, tmp_path / "triton-0") as server:
        repository = triton.repository(server.run_folder)
        post = Post("triton-0", server.address, "", repository, tmp_path / "desired.json", tmp_path / "state")
        control = TritonControl(server.address)
        agent = asyncio.create_task(Agent(post, control, notices.publish).run())
        host = await notices.until(in_state(ModelState.READY), 300)
        assert host.models[0].tasks == ("embedding",)
        body = json.dumps({"model": "vectors", "input": TEXTS})
        answer = await asyncio.to_thread(ask, server.address, "vectors", openai_surface="embedding", openai_body=body)
        vectors = [choice["embedding"] for choice in answer.choices()]
        assert [pytest.approx(vector, abs=1e-4) for vector in expected] == vectors
        chat = json.dumps({"messages": [{"role": "user", "content": "Hi"}]})
        refused = await asyncio.to_thread(ask, server.address, "vectors", openai_surface="chat", openai_body=chat)
        assert refused.failure()["code"] == "invalid_request"
        agent.cancel()
        await asyncio.gather(agent, return_exceptions=True)
        await control.close()
