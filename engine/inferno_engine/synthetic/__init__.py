"""A made-up engine, pure: words that follow from the prompt, and the steps in which they would be generated.

It stands in for a language model where what matters is everything around the model: it needs neither torch nor
vLLM, and every word can be foretold by a test.
"""
