"""The page of settings is the settings."""

from pathlib import Path

from inferno_core.settings_page import page

CHECKOUT = Path(__file__).parents[2]


def test_the_page_in_the_docs_is_up_to_date() -> None:
    assert (CHECKOUT / "docs" / "settings.md").read_text() == page(), "run `make docs`"


def test_a_group_and_an_ungrouped_setting_stand_there() -> None:
    assert "| `INFERNO_KAFKA__REPLY_TOPIC` | `inferno-response-queue` | Topic that holds the words. |" in page()
    assert "| `INFERNO_LOG_LEVEL` | `info` |" in page()
