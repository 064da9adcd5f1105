"""The tensors of a model of this backend, and how its configuration is completed."""

from typing import Any

from inferno_core.session import ATTACH_INPUT, COMMANDS_INPUT, MESSAGE_OUTPUT

# name, type, shape. All but the stock contract's text_input are optional there; here others may stand in its place.
INPUTS = (
    ("text_input", "TYPE_STRING", [1]),
    ("image", "TYPE_STRING", [-1]),
    ("stream", "TYPE_BOOL", [1]),
    ("sampling_parameters", "TYPE_STRING", [1]),
    ("exclude_input_in_output", "TYPE_BOOL", [1]),
    ("return_finish_reason", "TYPE_BOOL", [1]),
    ("return_cumulative_logprob", "TYPE_BOOL", [1]),
    ("return_logprobs", "TYPE_BOOL", [1]),
    ("return_num_input_tokens", "TYPE_BOOL", [1]),
    ("return_num_output_tokens", "TYPE_BOOL", [1]),
    ("return_token_ids", "TYPE_BOOL", [1]),
    ("embedding_request", "TYPE_STRING", [1]),
    ("input_ids", "TYPE_INT32", [-1]),
    ("openai_surface", "TYPE_STRING", [1]),
    ("openai_body", "TYPE_STRING", [1]),
    ("generation_id", "TYPE_STRING", [1]),
    ("priority", "TYPE_INT32", [1]),
    (ATTACH_INPUT, "TYPE_STRING", [1]),
    (COMMANDS_INPUT, "TYPE_STRING", [1]),
)
OUTPUTS = (
    ("text_output", "TYPE_STRING", [-1]),
    ("finish_reason", "TYPE_STRING", [-1]),
    ("cumulative_logprob", "TYPE_FP32", [-1]),
    ("logprobs", "TYPE_STRING", [-1]),
    ("num_input_tokens", "TYPE_UINT32", [1]),
    ("num_output_tokens", "TYPE_UINT32", [-1]),
    ("choice", "TYPE_STRING", [-1]),
    ("choice_index", "TYPE_INT32", [-1]),
    ("token_count", "TYPE_INT32", [-1]),
    ("token_ids", "TYPE_INT32", [-1]),
    ("usage", "TYPE_STRING", [1]),
    ("error", "TYPE_STRING", [1]),
    (MESSAGE_OUTPUT, "TYPE_STRING", [-1]),
)


def complete(config: Any) -> Any:
    """Fill in what config.pbtxt leaves out: the tensors, no batching by Triton, and many responses a request."""
    declared = config.as_dict()
    inputs = {tensor["name"] for tensor in declared["input"]}
    outputs = {tensor["name"] for tensor in declared["output"]}
    for name, kind, shape in INPUTS:
        if name not in inputs:
            config.add_input({"name": name, "data_type": kind, "dims": shape, "optional": True})
    for name, kind, shape in OUTPUTS:
        if name not in outputs:
            config.add_output({"name": name, "data_type": kind, "dims": shape})
    config.set_model_transaction_policy({"decoupled": True})
    # The engine batches by itself.
    config.set_max_batch_size(0)
    return config
