"""The routes for operators: whether the process lives, whether the platform is ready, its figures, its document."""

from ipaddress import ip_address
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import HTMLResponse

from inferno_api.catalogue import Catalogue
from inferno_api.document import Document, reference
from inferno_api.metrics import Metrics
from inferno_core.errors import Forbidden, Unavailable
from inferno_stream.edge import Edge


def build(*, catalogue: Catalogue, edge: Edge, metrics: Metrics) -> APIRouter:
    """Make the control plane's routes, which are mounted behind all others.

    FastAPI's own middleware stays out: what goes wrong here goes to the one renderer of errors, in `middleware.Errors`.
    """
    app = FastAPI(title="Inferno", version="1", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)

    written = Document(app.routes)

    @app.get("/healthz", summary="Whether this process lives", tags=["operations"])
    async def healthz() -> dict[str, str]:
        """Answer as long as the process can."""
        return {"status": "ok"}

    @app.get("/readyz", summary="Whether the platform can answer", tags=["operations"])
    async def readyz() -> dict[str, Any]:
        """Answer 200 when a model serves and the log takes requests, else 503 with the reason."""
        problem = edge.healthy or catalogue.problem()
        if problem is not None:
            raise Unavailable(problem)
        return {"status": "ready", "models": [model.name for model in catalogue.serving()]}

    @app.get("/metrics", summary="Figures for Prometheus, to loopback alone", tags=["operations"])
    async def read_metrics(request: Request) -> Response:
        """Give all figures in Prometheus' text format."""
        if request.client is None or not _is_loopback(request.client.host):
            raise Forbidden("/metrics answers on loopback alone. Read it from the machine itself.")
        return Response(metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/openapi.json", summary="This document", tags=["operations"])
    async def openapi() -> Response:
        """Give the description of every route."""
        return Response(written.json, media_type="application/json")

    @app.get("/docs", summary="This document as a page for people", tags=["operations"])
    async def docs() -> Response:
        """Give the description of every route as HTML, without scripts."""
        return HTMLResponse(written.page, headers={"content-security-policy": reference.POLICY})

    # FastAPI routes what it registered by name alone; the checkers want to see the handlers used.
    _ = (healthz, readyz, read_metrics, openapi, docs)
    return app.router


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
