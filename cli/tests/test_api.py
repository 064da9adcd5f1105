import pytest
from pydantic import SecretStr

from inferno_cli.run import api
from inferno_core.errors import InvalidRequest
from inferno_core.settings import SecretSettings, Settings

LONG = SecretStr("x" * 32)


@pytest.mark.parametrize(
    ("secrets", "name"),
    [
        (SecretSettings(id_key=LONG), "INFERNO_SECRETS__KEY_PEPPER"),
        (SecretSettings(id_key=LONG, key_pepper=SecretStr("a-short-one")), "INFERNO_SECRETS__KEY_PEPPER"),
        (SecretSettings(key_pepper=LONG), "INFERNO_SECRETS__ID_KEY"),
    ],
)
async def test_an_api_without_its_secrets_says_which(secrets: SecretSettings, name: str) -> None:
    with pytest.raises(InvalidRequest, match=name) as caught:
        await api.run(Settings(secrets=secrets))
    assert "a-short-one" not in caught.value.message
