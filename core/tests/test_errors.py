"""One tree of errors, each with its own code."""

from inferno_core import errors


def test_every_error_has_a_code_of_its_own_and_can_be_made_from_it() -> None:
    defined = [value for value in vars(errors).values() if isinstance(value, type)]
    classes = {cls for cls in defined if issubclass(cls, errors.InfernoError)} - {errors.InfernoError}
    assert {cls.code: cls for cls in classes} == errors.BY_CODE
    assert len(classes) == len(errors.BY_CODE)


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    assert errors.__doc__ is not None
    for code, cls in errors.BY_CODE.items():
        line = next(line for line in errors.__doc__.splitlines() if f" {code} " in line)
        assert cls.__name__ in line
        assert str(cls.status) in line
        assert line.endswith("yes") is cls.retryable


def test_an_error_from_an_unknown_code_is_the_engines() -> None:
    error = errors.from_code("mystery", "Something broke.", "prompt")
    assert isinstance(error, errors.EngineFailed)
    assert (error.message, error.param) == ("Something broke.", "prompt")
