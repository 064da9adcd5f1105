"""What can be asked of a model, as a table: it is what routes, decodes, folds and documents."""

from collections.abc import Callable
from typing import NamedTuple

from msgspec import Struct

from inferno_api.requests.asked import Asked
from inferno_api.requests.chat import ChatBody
from inferno_api.requests.completion import CompletionBody
from inferno_api.requests.embedding import EmbeddingBody
from inferno_api.responses.answers import ChatChunk, ChatCompletion, EmbeddingList, TextChunk, TextCompletion
from inferno_api.responses.chat_folding import ChatFolding
from inferno_api.responses.completion_folding import CompletionFolding
from inferno_api.responses.embedding_folding import EmbeddingFolding
from inferno_api.responses.folding import Folding
from inferno_core.records import Surface


class SurfaceKind(NamedTuple):
    """One way to ask: `endpoint` is what a key's scope names, `path` what follows each family's prefix.

    `chunk` is an event of its stream; None: it has none.
    """

    surface: Surface
    endpoint: str
    path: str
    summary: str
    body: type[Asked]
    folding: Callable[[], Folding]
    whole: type[Struct]
    chunk: type[Struct] | None = None


CHAT = SurfaceKind(
    surface="chat",
    endpoint="chat.completions",
    path="/chat/completions",
    summary="Answer a chat",
    body=ChatBody,
    folding=ChatFolding,
    whole=ChatCompletion,
    chunk=ChatChunk,
)
COMPLETION = SurfaceKind(
    surface="completion",
    endpoint="completions",
    path="/completions",
    summary="Continue a text",
    body=CompletionBody,
    folding=CompletionFolding,
    whole=TextCompletion,
    chunk=TextChunk,
)
EMBEDDING = SurfaceKind(
    surface="embedding",
    endpoint="embeddings",
    path="/embeddings",
    summary="Embed texts as vectors",
    body=EmbeddingBody,
    folding=EmbeddingFolding,
    whole=EmbeddingList,
)
SURFACES = (CHAT, COMPLETION, EMBEDDING)
