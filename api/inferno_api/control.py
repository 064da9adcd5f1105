"""The routes for operators: whether the process lives, whether the platform is ready, its figures, its document."""

from typing import Literal

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse
from pydantic import BaseModel, Field

from inferno_api.document import Document, reference
from inferno_api.parts import Parts
from inferno_api.telemetry.operators import Operators
from inferno_core.errors import Unavailable


class Ready(BaseModel):
    """What a platform that is ready tells of itself."""

    status: Literal["ready"]
    models: list[str] = Field(description="The models that serve, the default first.")
    last_answer_age_s: float | None = Field(description="How long ago anybody got words, or a canary, in seconds.")


def build(parts: Parts) -> APIRouter:
    """Make the control plane's routes, which are mounted behind all others.

    Raises `InvalidRequest` where a setting names a network of operators that is none.

    FastAPI's own middleware stays out: what goes wrong here goes to the one renderer of errors, in `middleware.Errors`.
    """
    app = FastAPI(
        title="Inferno",
        version="1",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # What is to be told of requests, `middleware.Measure` tells of all alike.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    operators = Operators(parts.settings.operator_networks, parts.keyring)
    written = Document(app.routes)

    @app.get("/healthz", summary="Whether this process lives", tags=["operations"])
    async def healthz() -> dict[str, str]:
        """Answer as long as the process can."""
        return {"status": "ok"}

    @app.get("/readyz", summary="Whether the platform can answer", tags=["operations"])
    async def readyz() -> Ready:
        """Answer 200 when the log takes requests, a model serves, and somebody got words of late; else 503 and why."""
        problem = parts.edge.healthy or parts.catalogue.problem() or parts.canary.problem()
        if problem is not None:
            raise Unavailable(problem)
        models = [model.name for model in parts.catalogue.serving()]
        return Ready(status="ready", models=models, last_answer_age_s=parts.canary.age_s)

    @app.get(
        "/metrics",
        summary="Figures for Prometheus, to operators alone",
        tags=["operations"],
        response_class=PlainTextResponse,
    )
    async def read_metrics(request: Request) -> Response:
        """Give all figures in Prometheus' text format: to loopback, operators' networks, and keys made for it."""
        await operators.check(request.scope)
        return Response(parts.metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/openapi.json", summary="This document", tags=["operations"])
    async def openapi() -> Response:
        """Give the description of every route."""
        return Response(written.json, media_type="application/json")

    @app.get("/docs", summary="This document as a page for people", tags=["operations"], response_class=HTMLResponse)
    async def docs() -> Response:
        """Give the description of every route as HTML, without scripts."""
        return HTMLResponse(written.page, headers={"content-security-policy": reference.POLICY})

    # FastAPI routes what it registered by name alone; the checkers want to see the handlers used.
    _ = (healthz, readyz, read_metrics, openapi, docs)
    return app.router
