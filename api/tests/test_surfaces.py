import msgspec
import pytest

from inferno_api.surfaces import SURFACES, SurfaceKind


@pytest.mark.parametrize("kind", SURFACES, ids=lambda kind: kind.surface)
def test_each_surface_decodes_and_folds_its_own(kind: SurfaceKind) -> None:
    field = {"chat": "messages", "completion": "prompt", "embedding": "input"}[kind.surface]
    assert field in kind.body.__struct_fields__
    assert kind.folding() is not kind.folding()
    assert msgspec.json.schema(kind.whole)
    assert (kind.chunk is None) == (kind.surface == "embedding")


def test_no_two_surfaces_share_a_route() -> None:
    assert len({kind.path for kind in SURFACES}) == len({kind.endpoint for kind in SURFACES}) == len(SURFACES)
