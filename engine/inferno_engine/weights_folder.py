"""Looks at a folder of weights that somebody brings: whether it is whole, harmless and served here, and what it does.

A folder as Hugging Face's libraries write it: config.json, safetensors, a tokenizer. Files that Python would run
when it reads them (pickles) are refused wherever they lie, as are links, which would lead out of what was verified.
"""

from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from inferno_engine import digests, safetensors
from inferno_engine.errors import Unverified

_PICKLES = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".npy", ".npz"})
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "tekken.json", "tiktoken.model")
_GENERATE = ("ForCausalLM", "ForConditionalGeneration", "LMHeadModel")
T = TypeVar("T")
_INDEX = "model.safetensors.index.json"


class WeightsFolder(NamedTuple):
    """A folder that may be served. `context` is the longest that the model was made for, in tokens (0: not said).

    `files` are the digests of all its files, `digest` is that of the whole.
    """

    path: Path
    tasks: tuple[str, ...]
    context: int
    files: dict[str, str]
    digest: str
    modalities: tuple[str, ...] = ("text",)


class _Config(msgspec.Struct):
    """What config.json says that matters here. Where there are several kinds of input, each has a part of its own."""

    architectures: list[str] | None = None
    model_type: str | None = None
    pad_token_id: int | None = None
    max_position_embeddings: int | None = None
    n_positions: int | None = None
    max_seq_len: int | None = None
    text_config: "_Config | None" = None
    vision_config: dict[str, Any] | None = None

    @property
    def context(self) -> int:
        """How long a text may be, in tokens; 0 if that is not said."""
        length = self.max_position_embeddings or self.n_positions or self.max_seq_len
        if length is None:
            return self.text_config.context if self.text_config else 0
        # RoBERTa's positions begin after that of the padding.
        return length - (self.pad_token_id or 0) - 1 if "roberta" in (self.model_type or "") else length


class _Index(msgspec.Struct):
    """Which file has which tensor."""

    weight_map: dict[str, str] = {}


class _Tokenizer(msgspec.Struct):
    """What tokenizer_config.json says that matters here."""

    chat_template: Any = None


def look(folder: Path) -> WeightsFolder:
    """Look at a folder, and read all of it: seconds for gigabytes. Raises Unverified with the way out."""
    if not folder.is_dir():
        raise Unverified(f"{folder} is not a folder.")
    # The way to it may have links; what is in it may not.
    folder = folder.resolve()
    check_files(folder)
    config = _config(folder)
    _check_tensors(folder)
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        raise Unverified(f"{folder} has no tokenizer: one of {', '.join(_TOKENIZERS)} must be there.")
    return WeightsFolder(
        folder,
        _tasks(config, folder),
        config.context,
        digests.manifest(folder),
        digests.folder_digest(folder),
        ("text",) if config.vision_config is None else ("text", "image"),
    )


def check_files(folder: Path) -> None:
    """Raise Unverified at the first link, pickle, or thing that is no file."""
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise Unverified(
                f"{path} is a symbolic link: copy the folder with `cp -rL`, which puts files in their place."
            )
        if path.suffix.lower() in _PICKLES:
            raise Unverified(
                f"{path} may be a pickle, which runs code when it is read. Only safetensors are served: remove that "
                "file if the weights are there as safetensors, or convert them."
            )
        if not (path.is_file() or path.is_dir()):
            raise Unverified(f"{path} is neither a file nor a folder.")


def _config(folder: Path) -> _Config:
    config = _read(folder / "config.json", _Config)
    if not config.architectures:
        raise Unverified(f"{folder / 'config.json'} names no `architectures`: this is no model that can be served.")
    return config


def _check_tensors(folder: Path) -> None:
    """See that all tensors are there and whole."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise Unverified(f"{folder} has no *.safetensors: convert the weights to safetensors first.")
    for file in files:
        safetensors.tensors(file)
    if (folder / _INDEX).is_file():
        named = set(_read(folder / _INDEX, _Index).weight_map.values())
        missing = sorted(named - {file.name for file in files})
        if missing:
            raise Unverified(f"{folder / missing[0]} is missing, and {_INDEX} names it: fetch it again.")


def _tasks(config: _Config, folder: Path) -> tuple[str, ...]:
    if not any(name.endswith(_GENERATE) for name in config.architectures or ()):
        return ("embedding",)
    return ("chat", "completion") if _has_template(folder) else ("completion",)


def _has_template(folder: Path) -> bool:
    if (folder / "chat_template.jinja").is_file() or (folder / "chat_template.json").is_file():
        return True
    settings = folder / "tokenizer_config.json"
    return settings.is_file() and bool(_read(settings, _Tokenizer).chat_template)


def _read(file: Path, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except FileNotFoundError:
        raise Unverified(f"{file} is missing: {file.parent} is no folder of weights.") from None
    except (OSError, msgspec.DecodeError) as error:
        raise Unverified(f"{file} can't be read: {error}.") from error
