"""A text, texts, or either as token ids: the four forms in which completions and embeddings take what they read."""

from typing import Annotated

from msgspec import Meta

TokenId = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Texts = str | Annotated[list[str | TokenId | Annotated[list[TokenId], Meta(min_length=1)]], Meta(min_length=1)]


def count(texts: Texts) -> int:
    """Say how many texts these are: a list of token ids is one."""
    return 1 if isinstance(texts, str) or isinstance(texts[0], int) else len(texts)


def check(name: str, texts: Texts, most: int) -> None:
    """Refuse a list of unlike items, or of more than `most` texts. Raises `ValueError`, which validation shows."""
    if isinstance(texts, str):
        return
    if len({type(text) for text in texts}) > 1:
        raise ValueError(f"`{name}` mixes texts, token ids and lists of them; send items of one kind")
    if (texts_sent := count(texts)) > most:
        raise ValueError(f"`{name}` has {texts_sent} texts; at most {most} are taken in one request")
