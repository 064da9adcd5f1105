"""Sessions: a worker's one attach, on which the words of all its generations go out together, step by step."""
