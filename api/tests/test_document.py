import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from msgspec.structs import replace

from inferno_api import failures
from inferno_api.document import examples
from inferno_api.responses import answers
from inferno_api.surfaces import SURFACES
from inferno_core.effects import EngineFrame
from inferno_core.errors import BY_CODE
from inferno_core.records import Final, Outcome, Usage
from inferno_stream.fake import words

COMMITTED = Path(__file__).parents[2] / "docs" / "openapi.json"


@pytest.fixture
async def whole(client: httpx.AsyncClient) -> Any:
    answer = await client.get("/openapi.json")
    assert answer.status_code == 200
    return answer.json()


async def test_what_is_served_is_what_is_committed(client: httpx.AsyncClient) -> None:
    served = (await client.get("/openapi.json")).content
    assert served == COMMITTED.read_bytes(), "run `make docs` and look at what changed for clients"


def test_every_route_is_described(whole: Any, world: Any) -> None:
    routed = {
        (mount.path + route.path.replace(":path", ""), method.lower())
        for mount in world.app.routes
        for route in mount.routes
        if getattr(route, "methods", None)
        for method in route.methods - {"HEAD"}
    }
    described = {(path, method) for path, operations in whole["paths"].items() for method in operations}
    assert routed == described
    assert len(described) >= 14


def test_every_reference_leads_somewhere(whole: Any) -> None:
    found = 0
    for node in nodes(whole):
        if "$ref" in node:
            place: Any = whole
            for step in node["$ref"].removeprefix("#/").split("/"):
                place = place[step]
            found += 1
    assert found > 100


def test_every_part_is_used(whole: Any) -> None:
    used = {node["$ref"] for node in nodes(whole) if "$ref" in node}
    parts = whole["components"]
    kinds = ("schemas", "responses", "parameters", "headers")
    assert {f"#/components/{kind}/{name}" for kind in kinds for name in parts[kind]} == used


def test_operations_have_names_and_what_they_answer_to(whole: Any) -> None:
    every = [operation for of in whole["paths"].values() for operation in of.values()]
    assert len({operation["operationId"] for operation in every}) == len(every)
    for operation in every:
        assert operation["summary"]
        assert operation["description"]
        assert "422" not in operation["responses"]
        assert {"200", "400", "408", "431", "500"} <= operation["responses"].keys()
        assert bool(operation.get("security")) == ("inference" in operation["tags"])


def test_every_error_is_told_where_it_may_come(whole: Any) -> None:
    told = {
        code
        for answer in whole["components"]["responses"].values()
        for code in answer["content"]["application/json"]["examples"]
    }
    assert told == {*BY_CODE, "internal_error"} - {"fenced"}
    assert "method_not_allowed" in whole["info"]["description"]
    statuses = {kind.status for kind in BY_CODE.values() if kind.code != "fenced"}
    for surface in SURFACES:
        answered = whole["paths"]["/v1" + surface.path]["post"]["responses"]
        assert {str(status) for status in statuses} <= answered.keys()


def test_every_parameter_has_its_sentence(whole: Any) -> None:
    for surface in SURFACES:
        properties = whole["components"]["schemas"][surface.body.__name__]["properties"]
        assert [name for name, schema in properties.items() if not schema.get("description")] == []


def test_the_bodies_are_the_types_that_validate(whole: Any) -> None:
    schemas = whole["components"]["schemas"]
    assert schemas["ChatBody"]["required"] == ["model", "messages"]
    temperature = schemas["ChatBody"]["properties"]["temperature"]["anyOf"][0]
    assert (temperature["minimum"], temperature["maximum"]) == (0, 2)
    assert "prompt" in schemas["CompletionBody"]["properties"]


def test_examples_of_answers_are_of_their_types(whole: Any) -> None:
    read = 0
    for operations in whole["paths"].values():
        for operation in operations.values():
            content = operation["responses"]["200"].get("content", {}).get("application/json", {})
            for example in content.get("examples", {}).values():
                type_ = getattr(answers, content["schema"]["$ref"].rpartition("/")[2])
                assert msgspec.to_builtins(msgspec.convert(example["value"], type_, strict=True)) == example["value"]
                read += 1
    assert read >= 8
    for surface in SURFACES:
        if surface.chunk is not None:
            for chunk in examples.CHUNKS[surface.chunk.__name__]:
                msgspec.convert(chunk, surface.chunk, strict=True)
    msgspec.convert(examples.FAILURE, failures.ErrorBody, strict=True)


@pytest.mark.parametrize("surface", SURFACES, ids=lambda kind: kind.surface)
def test_examples_of_streams_are_events(whole: Any, surface: Any) -> None:
    content = whole["paths"]["/v1" + surface.path]["post"]["responses"]["200"]["content"]
    if surface.chunk is None:
        assert "text/event-stream" not in content
        return
    texts = {name: example["value"] for name, example in content["text/event-stream"]["examples"].items()}
    assert texts["finished"].endswith("data: [DONE]\n\n")
    assert "error" in json.loads(data(texts["failed"])[-1])
    for text in texts.values():
        assert not re.search(r"^(id|event|retry):", text, re.MULTILINE)


async def test_examples_of_requests_are_taken(client: httpx.AsyncClient, whole: Any, world: Any) -> None:
    model = next(each for each in world.models if each.name == "smollm2")
    await world.show(replace(model, tasks=("chat", "completion", "embedding")))
    world.script = lambda draft: (
        vectors(draft.n) if draft.surface == "embedding" else words("Hi", surface=draft.surface)
    )
    taken = {(path, name): await client.post(path, json=body) for path, name, body in requests(whole)}
    assert {place: answer.text for place, answer in taken.items() if answer.status_code != 200} == {}
    assert len(taken) >= 24


def requests(document: Any) -> Iterator[tuple[str, str, Any]]:
    """Path, name and body of every example of a request."""
    for path, of in document["paths"].items():
        if "post" in of:
            content = of["post"]["requestBody"]["content"]["application/json"]
            yield from ((path, name, example["value"]) for name, example in content["examples"].items())


def vectors(count: int) -> list[list[EngineFrame]]:
    """Script the embeddings of some texts."""
    final = Final(Outcome.FINISHED, usage=Usage(3, 0))
    deltas = [b'{"object":"embedding","index":%d,"embedding":[0.5]}' % index for index in range(count)]
    return [[EngineFrame(at, (), delta, "stop", final if at == count - 1 else None) for at, delta in enumerate(deltas)]]


async def test_the_page_shows_every_route_and_runs_nothing(client: httpx.AsyncClient, whole: Any) -> None:
    answer = await client.get("/docs")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    text = answer.text
    assert not re.search(r"<(script|link|img|iframe)|\son\w+=|https?://|javascript:|url\(", text)
    for path, of in whole["paths"].items():
        assert f"<code>{path}</code>" in text
        for operation in of.values():
            assert f'id="{operation["operationId"]}"' in text
    for name in whole["components"]["schemas"]:
        assert f'<h3 id="{name}">' in text
    targets = set(re.findall(r'href="#([^"]+)"', text))
    assert targets <= set(re.findall(r'id="([^"]+)"', text))


def data(stream: str) -> list[str]:
    """The data of each event."""
    return [line.removeprefix("data: ") for line in stream.splitlines() if line.startswith("data: ")]


def nodes(node: Any) -> Any:
    """Every object in the document."""
    if isinstance(node, dict):
        yield node
    for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from nodes(value)
