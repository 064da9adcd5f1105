"""What the checks of a body's types raise."""


class Fault(ValueError):
    """A field that can't be honoured as it is written.

    `field` is its path from the object that was checked, "" for that object itself. The message completes the sentence
    "'field' is VALUE: …", and says the way out.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
