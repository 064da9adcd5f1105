from inferno_api.requests.fault import Fault


def test_a_fault_knows_its_field() -> None:
    fault = Fault("n", "it may be at most 3")
    assert (fault.field, str(fault)) == ("n", "it may be at most 3")
    assert isinstance(fault, ValueError)
