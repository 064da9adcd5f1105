"""The token log on Kafka: the worker that drives engines and the reader that follows their words."""
