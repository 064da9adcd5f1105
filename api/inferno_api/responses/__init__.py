"""How answers are told: folded into a whole, or streamed."""
