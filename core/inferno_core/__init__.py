"""The domain of Inferno, pure: what a generation is, how its words are ordered, and who may speak for it."""
