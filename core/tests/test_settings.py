"""Settings come from the environment, and each says what it is for."""

from collections.abc import Iterator

import pytest
from pydantic import BaseModel

from inferno_core.settings import Settings


def _fields(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str | None]]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _fields(field.annotation, f"{prefix}{name}.")
        else:
            yield prefix + name, field.description


def test_every_setting_says_what_it_is_for() -> None:
    fields = dict(_fields(Settings))
    assert [name for name, description in fields.items() if not description] == []
    assert len(fields) <= 60


def test_the_environment_names_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFERNO_KAFKA__BOOTSTRAP_SERVERS", "a:1,b:2")
    monkeypatch.setenv("INFERNO_TRITON__URLS", "one:1, two:2")
    settings = Settings()
    assert settings.kafka.bootstrap_servers == "a:1,b:2"
    assert settings.triton.urls == ("one:1", "two:2")


def test_a_secret_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFERNO_SECRETS__ID_KEY", "a very secret key of some length")
    assert "very secret" not in repr(Settings())
    assert "very secret" not in Settings().model_dump_json()
