import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from folded import fold

from inferno_api.responses.embedding_folding import EmbeddingFolding
from inferno_api.responses.folding import Cover
from inferno_core.acceptance import Accepted
from inferno_core.records import Frame, Usage


def test_vectors_stand_in_the_order_of_their_inputs() -> None:
    vectors = [{"object": "embedding", "index": index, "embedding": [0.5, index]} for index in range(12)]
    whole = fold(EmbeddingFolding(), *reversed(vectors), usage=Usage(7, 0))
    assert whole == {
        "object": "list",
        "data": vectors,
        "model": "m",
        "usage": {"prompt_tokens": 7, "total_tokens": 7},
    }


def test_what_the_engine_wrote_is_not_read() -> None:
    folding = EmbeddingFolding()
    folding.add([Accepted(Frame("i", 0, 0, 0, (), b'{"as":"it","stands":1.0}'), -1)])
    assert b'"data":[{"as":"it","stands":1.0}]' in folding.whole(Cover("i", 1, "m", "", None))
