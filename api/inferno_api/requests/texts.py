"""A text, texts, or either as token ids: the four forms in which completions and embeddings take what they read."""

from typing import Annotated

from msgspec import Meta

from inferno_api.requests.fault import Fault
from inferno_api.requests.limits import CHARS_PER_TOKEN, MAX_TOKENS

TokenId = Annotated[int, Meta(ge=0, le=MAX_TOKENS)]
Texts = str | Annotated[list[str | TokenId | Annotated[list[TokenId], Meta(min_length=1)]], Meta(min_length=1)]


def count(texts: Texts) -> int:
    """Say how many texts these are: a list of token ids is one."""
    return 1 if isinstance(texts, str) or isinstance(texts[0], int) else len(texts)


def check(name: str, texts: Texts, most: int) -> None:
    """Refuse a list of unlike items, or of more than `most` texts. Raises `Fault`."""
    if isinstance(texts, str):
        return
    if len({type(text) for text in texts}) > 1:
        raise Fault(name, "it mixes texts, token ids and lists of them; send items of one kind")
    if (sent := count(texts)) > most:
        raise Fault(name, f"it has {sent} texts, and at most {most} are taken; send fewer in one request")


def least_tokens(texts: Texts) -> int:
    """Say how many tokens the longest of these has at least."""
    if isinstance(texts, str):
        return least(len(texts))
    if isinstance(texts[0], int):
        return len(texts)
    return max(least(len(text)) if isinstance(text, str) else len(text) for text in texts if not isinstance(text, int))


def least(chars: int) -> int:
    """Say how many tokens a text of so many characters has at least."""
    return -(-chars // CHARS_PER_TOKEN)
