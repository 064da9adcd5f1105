from pathlib import Path

from inferno_core import keys
from inferno_local.vault import credentials, unlock


def test_secrets_are_made_once_and_kept_closed(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    first = unlock(path)
    assert unlock(path) == first
    assert path.stat().st_mode & 0o777 == 0o600
    assert keys.parse(first.api_key) is not None
    assert first.api_key not in repr(first)
    assert min(len(first.id_key), len(first.key_pepper)) >= 32


def test_a_new_secret_joins_the_old_ones(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    path.write_text('{"id_key": "kept"}')
    assert unlock(path).id_key == "kept"
    assert unlock(path).api_key == unlock(path).api_key


def test_credentials_name_the_first_address(tmp_path: Path) -> None:
    made = credentials(unlock(tmp_path / "s"), ["http://a", "http://b"])
    assert (made.url, made.api_urls) == ("http://a", ["http://a", "http://b"])
