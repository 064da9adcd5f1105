"""Inferno's Triton backend: an engine (vLLM, or the synthetic one) behind one seam, and the contracts that it speaks.

Triton ─▶ adapter ─▶ contract (stock | openai) ─▶ engine (vllm | synthetic)
▲                                         │
└────── outbox ◀──── generation ◀─────────┘        cancellation watches the clients
"""
