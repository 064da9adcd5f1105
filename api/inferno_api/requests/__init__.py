"""What clients may ask for: types that validate, limits, and what is refused."""
