"""/docs: the document as one page for people. It runs no script and fetches nothing, so there is nothing to replace."""

import json
import re
from collections.abc import Iterator
from html import escape
from typing import Any

from inferno_api.document import types

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""The page's own content security policy: what is not in it can't run."""

_STYLE = """
body{font:16px/1.55 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c1e21;background:#fff}
h1,h2,h3{line-height:1.2}section{border-top:1px solid #ddd;margin-top:2rem}a{color:#0b57a4}
code,pre{font:14px/1.5 ui-monospace,monospace}pre{background:#f4f5f7;padding:.8rem;overflow:auto}
table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.35rem .6rem .35rem 0;
border-bottom:1px solid #eee}.method{color:#0a7d4f;font-weight:600}summary{cursor:pointer;margin:.5rem 0}
@media(prefers-color-scheme:dark){body{color:#e6e6e6;background:#16181b}pre{background:#22252a}a{color:#7db7f0}
section,td,th{border-color:#33373d}.method{color:#5fd0a0}}
"""
_CODE = re.compile(r"`([^`]+)`")


def page(document: dict[str, Any]) -> bytes:
    """Render the document."""
    info, parts = document["info"], document["components"]
    body: list[str] = [
        f"<h1>{escape(info['title'])}</h1>{_prose(info['description'])}",
        '<p>For programs: <a href="/openapi.json">openapi.json</a>.</p>',
        _contents(document["paths"]),
        *(
            _operation(path, method, operation, parts)
            for path, operations in document["paths"].items()
            for method, operation in operations.items()
        ),
        "<section><h2>Types</h2>",
        *(_type(name, schema) for name, schema in parts["schemas"].items()),
        "</section>",
    ]
    head = f'<meta charset="utf-8"><title>{escape(info["title"])}</title><style>{_STYLE}</style>'
    viewport = '<meta name="viewport" content="width=device-width">'
    return f'<!doctype html><html lang="en"><head>{head}{viewport}</head><body>{"".join(body)}</body></html>'.encode()


def _contents(paths: dict[str, Any]) -> str:
    rows = (
        f'<tr><td><a href="#{operation["operationId"]}"><span class="method">{method.upper()}</span> '
        f"<code>{escape(path)}</code></a></td><td>{_inline(operation['summary'])}</td></tr>"
        for path, operations in paths.items()
        for method, operation in operations.items()
    )
    return f"<table>{''.join(rows)}</table>"


def _operation(path: str, method: str, operation: dict[str, Any], parts: dict[str, Any]) -> str:
    title = f'<span class="method">{method.upper()}</span> <code>{escape(path)}</code>'
    said = [f'<section id="{operation["operationId"]}"><h2>{title}</h2>{_prose(operation.get("description", ""))}']
    parameters = [_found(each, parts) for each in operation.get("parameters", ())]
    if parameters:
        rows = (_row(f"{each['name']} ({each['in']})", each["schema"], each["description"]) for each in parameters)
        said += ["<h3>Parameters</h3><table>", *rows, "</table>"]
    if "requestBody" in operation:
        said += ["<h3>Body</h3>", *_contents_of(operation["requestBody"])]
    said.append("<h3>Answers</h3>")
    for status, answer in operation["responses"].items():
        said += _answer(status, _found(answer, parts), parts)
    return "".join([*said, "</section>"])


def _answer(status: str, answer: dict[str, Any], parts: dict[str, Any]) -> Iterator[str]:
    yield f"<details><summary><b>{status}</b> {_inline(answer['description'].partition(chr(10))[0])}</summary>"
    yield _prose(answer["description"])
    headers = {name: _found(header, parts) for name, header in answer.get("headers", {}).items()}
    rows = (_row(name, header["schema"], header["description"]) for name, header in headers.items())
    yield f"<table>{''.join(rows)}</table>"
    yield from _contents_of(answer)
    yield "</details>"


def _contents_of(carrier: dict[str, Any]) -> Iterator[str]:
    """Show what a body may be, by its content type, and its examples."""
    for media, content in carrier.get("content", {}).items():
        schema = content.get("schema", {})
        yield f"<p><code>{escape(media)}</code>: {types.html(schema)}</p>{_prose(schema.get('description', ''))}"
        for name, example in content.get("examples", {}).items():
            value = example["value"]
            text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
            title = _inline(example.get("summary", name))
            yield f"<details><summary>Example: {title}</summary><pre>{escape(text)}</pre></details>"


def _type(name: str, schema: dict[str, Any]) -> str:
    required = schema.get("required", ())
    rows = (
        _row(field + ("" if field in required else "?"), of, of.get("description", ""))
        for field, of in schema.get("properties", {}).items()
    )
    title = f'<h3 id="{escape(name)}">{escape(name)}</h3>'
    return f"{title}{_prose(schema.get('description', ''))}<table>{''.join(rows)}</table>"


def _row(name: str, schema: dict[str, Any], text: str) -> str:
    return f"<tr><td><code>{escape(name)}</code></td><td>{types.html(schema)}</td><td>{_inline(text)}</td></tr>"


def _found(node: dict[str, Any], parts: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference into the document's components."""
    if "$ref" not in node:
        return node
    kind, name = node["$ref"].rsplit("/", 2)[1:]
    found: dict[str, Any] = parts[kind][name]
    return found


def _prose(text: str) -> str:
    return "".join(f"<p>{_inline(paragraph)}</p>" for paragraph in text.split("\n\n") if paragraph)


def _inline(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(text, quote=False))
