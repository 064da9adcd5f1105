"""The Triton host's keeper: the agent that lays out, loads and proves model versions."""
