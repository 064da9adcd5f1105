"""What an engine must answer as transformers does in float32, word for word, before its speed counts."""

from collections.abc import Mapping, Sequence
from typing import Any

TOKENS = 24

_QUESTIONS = (
    "What is the capital of France?",
    "Name three colours of the rainbow.",
    "Write one sentence about the sea.",
    "How many legs does a spider have?",
    "Translate 'good morning' into Spanish.",
    "What is 7 times 8?",
    "Give me a short recipe for tea.",
    "Who wrote Romeo and Juliet?",
    "Continue: once upon a time, in a village by the river,",
    "Explain in one sentence why the sky is blue.",
    "List the days of the week.",
    "Write a line of Python that prints the numbers from one to ten.",
)


def bodies() -> Sequence[Mapping[str, Any]]:
    """Give the chat bodies, greedy and short."""
    return [
        {"messages": [{"role": "user", "content": question}], "max_tokens": TOKENS, "temperature": 0}
        for question in _QUESTIONS
    ]
