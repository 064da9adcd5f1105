"""`GET /v1/models` and `/v1/models/{id}`: what this key may call, the default first."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from inferno_api.catalogue import Catalogue
from inferno_api.responses.answers import ModelCard, ModelList
from inferno_core.hosts import HostedModel


class Models:
    """The routes of models."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    async def list(self, request: Request) -> Response:
        """List the models that serve."""
        key = request.scope["key"]
        cards = [_card(model) for model in self._catalogue.serving() if key.allows_model(model.name)]
        return _json(ModelList(data=cards))

    async def show(self, request: Request) -> Response:
        """Show one model; raises `ModelNotFound`, or `Unavailable` while it doesn't serve yet."""
        key = request.scope["key"]
        return _json(_card(self._catalogue.resolve(request.path_params["model"], key.allows_model)))


def _card(model: HostedModel) -> ModelCard:
    return ModelCard(id=model.name, created=int(model.since), max_model_len=model.context)


def _json(answer: msgspec.Struct) -> Response:
    return Response(msgspec.json.encode(answer), media_type="application/json")
