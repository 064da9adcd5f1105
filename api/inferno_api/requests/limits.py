"""What a request may have at most, whichever engine answers it. All of it is looked at before anything is queued.

These are not settings: a program that works with one platform works with every other. docs/limits.md lists them.
"""

MAX_VALUES = 1 << 19
"""Values in a body, as JSON counts them: what a decoder builds of them takes up to a hundred bytes each."""

MAX_CHOICES = 128
"""Answers to one request: `n` for each prompt."""

MAX_INPUTS = 2048
"""Texts that one request has embedded."""

MAX_DIMENSIONS = 1 << 16
"""Numbers that each embedding is asked to have."""

MAX_TOKENS = 2**31 - 1
"""Largest number of tokens, and largest token id, that can be written down; a model's context is far less."""

MAX_STOPS = 4
MAX_STOP_CHARS = 1024
MAX_WORDS = 128
"""Entries of `bad_words` and `stop_token_ids`."""

MAX_TOKEN_IDS = 1024
"""Entries of `logit_bias` and `allowed_token_ids`."""

MAX_LOGPROBS = 20
MAX_PATTERN = 1024
"""Sizes and counts of `repetition_detection`: an engine compares as much at each token."""

MAX_MESSAGES = 2048
MAX_PARTS = 1024
"""Parts of one message."""

MAX_NAME_CHARS = 64
NAME = r"^[a-zA-Z0-9_-]{1,64}$(?!\n)"
"""What names of functions and schemas are made of. In Python `$` would let a line's end pass."""

MAX_LABEL_CHARS = 1024
"""Characters of what only labels a request, such as `user`, and of ids of tool calls."""

MAX_METADATA = 16
MAX_METADATA_CHARS = 512

MAX_CALLS = 128
"""Tool calls of one message."""

MAX_ARGUMENTS_BYTES = 1 << 20
"""Arguments of one tool call: a template decodes them."""

MAX_TOOLS = 128
MAX_TOOLS_BYTES = 256 << 10
MAX_DOCUMENTS = 128

MAX_GRAMMAR_BYTES = 64 << 10
"""A schema, a grammar, or a list of choices, each as JSON: an engine compiles them."""

MAX_DEPTH = 32
"""Objects and lists inside one another, in a schema and in a tool call's arguments."""

MAX_PROPERTIES = 512
"""Properties of a schema, those of its parts included."""

MAX_ALTERNATIVES = 1024
"""Entries of `structured_outputs.choice`, and of an `enum` of a schema."""

MAX_REGEX_BYTES = 4 << 10
MAX_WRITTEN_OUT = 64 << 10
"""Characters of a regex or a grammar once what it repeats is written out."""

MAX_REPEATS = 10_000
"""Items, characters or properties that a schema may ask for at least, or allow at most."""

MAX_IMAGES = 16
MAX_IMAGE_BYTES = 8 << 20
MAX_IMAGE_PIXELS = 64_000_000

CHARS_PER_TOKEN = 256
"""No vocabulary's token is longer: a text of more than this many characters a token can't fit a model's context."""
