"""A sentence for each parameter whose type carries none."""

from typing import Any

from inferno_api.requests.refused import REFUSED

_SENTENCES = {
    "messages": "The conversation so far, oldest turn first.",
    "prompt": "A text, a list of texts, the ids of a text's tokens, or a list of such lists.",
    "input": "A text, a list of texts, the ids of a text's tokens, or a list of such lists.",
    "model": "The name of a model in `/v1/models`.",
    "stream": "Whether the answer comes as server-sent events, step by step.",
    "stream_options": "What the stream says besides words; only with `stream`: true.",
    "n": "How many answers to give to each prompt.",
    "best_of": "As `n`, where it is given: the engine makes no answers that it doesn't give.",
    "max_tokens": "The most tokens of each answer. It is never clamped: beyond the model's context it is refused.",
    "max_completion_tokens": "The newer name of `max_tokens`, and before it where both are given.",
    "temperature": "How freely tokens are drawn; 0: always the likeliest one.",
    "top_p": "Draw among the likeliest tokens that have this share of the probability together.",
    "top_k": "Draw among this many of the likeliest tokens; 0 or -1: among all.",
    "min_p": "Draw among tokens that are at least this share as likely as the likeliest one.",
    "stop": "Texts that end an answer, which does not include them.",
    "stop_token_ids": "Tokens that end an answer.",
    "include_stop_str_in_output": "Whether the answer includes the text that ended it.",
    "bad_words": "Words that are never drawn.",
    "seed": "The same seed and the same request give the same answer.",
    "presence_penalty": "Above 0: tokens that are in the answer already become less likely.",
    "frequency_penalty": "Above 0: tokens become less likely with each time that they are in the answer already.",
    "repetition_penalty": "Above 1: tokens of prompt and answer become less likely.",
    "logit_bias": "What is added to the logit of a token, by its id.",
    "logprobs": "Whether, or for plain completions of how many of the likeliest tokens, log-probabilities are told.",
    "top_logprobs": "How many of the likeliest tokens are told at each place; only with `logprobs`: true.",
    "min_tokens": "The least tokens of each answer.",
    "ignore_eos": "Whether to go on where the model would end.",
    "skip_special_tokens": "Whether special tokens are left out of the text.",
    "spaces_between_special_tokens": "Whether special tokens are parted by spaces in the text.",
    "response_format": "The form of the answer: text, any JSON object, or JSON that is valid under a schema.",
    "structured_outputs": "The form of the answer in vLLM's way: exactly one of its constraints.",
    "tools": "The functions that the model may call.",
    "tool_choice": "Whether it may call one (`auto`), none (`none`), has to (`required`), or which one it has to call.",
    "parallel_tool_calls": "Whether it may call several at once.",
    "reasoning_effort": "How much to reason, for models whose template knows of it.",
    "modalities": "What the answer is made of: text.",
    "chat_template_kwargs": "Arguments of the model's chat template.",
    "add_generation_prompt": "Whether the template opens a new turn of the assistant's.",
    "continue_final_message": "Whether the last message is gone on with, rather than answered.",
    "echo": "Whether the prompt of a plain completion is repeated before the answer.",
    "include_reasoning": "Whether the answer tells the reasoning that led to it.",
    "thinking_token_budget": "The most tokens of reasoning; -1: no bound of its own.",
    "documents": "Texts that the model's template puts before the conversation, if it knows of them.",
    "add_special_tokens": "Whether the tokenizer adds the model's special tokens to a prompt.",
    "truncate_prompt_tokens": "Keep only so many tokens of a prompt that has more; -1: as many as the context takes.",
    "truncation_side": "Which end of a prompt that is too long is cut off.",
    "allowed_token_ids": "The only tokens that may be drawn.",
    "return_tokens_as_token_ids": "Whether log-probabilities name tokens by their ids, as `token_id:7`.",
    "repetition_detection": "When an answer that repeats itself is ended.",
    "use_activation": "Whether the model's last layer is applied, where it has one for this.",
    "cache_salt": "Prompts are found in the engine's cache only by requests with the same salt.",
    "synthetic_fault": "A fault that the synthetic engine is to have, where its operator allows that. For tests.",
    "priority": "Larger values are answered later.",
    "user": "Your own name for who asks. It is not looked at.",
    "metadata": "Your own notes on the request. They are not looked at.",
    "store": "Accepted; nothing is stored for later.",
    "session_id": "Your own name for what the request belongs to. It is not looked at.",
    "safety_identifier": "Your own name for who asks. It is not looked at.",
    "prompt_cache_key": "Accepted; engines find what they have cached by the prompt itself.",
    "prompt_cache_options": "Accepted; engines find what they have cached by the prompt itself.",
    "prompt_cache_retention": "Accepted; an engine keeps what it has cached as long as there is room.",
    "dimensions": "How many numbers each embedding has, for models that can shorten theirs.",
    "encoding_format": "Whether an embedding is a list of numbers or their bytes in base64.",
}


def explain(properties: dict[str, Any]) -> None:
    """Give each property that has no description its sentence: what it does, or why it can't be honoured."""
    refused = {name: f"Refused unless it asks for nothing, as described: {why}." for name, why in REFUSED.items()}
    for name, sentence in {**refused, **_SENTENCES}.items():
        if name in properties:
            properties[name].setdefault("description", sentence)
