import json

import pytest

from inferno_api import failures
from inferno_core.errors import BY_CODE, DeadlineExceeded, EngineFailed, RateLimited, WorkerLost
from inferno_core.records import Failure, Final, Outcome


@pytest.mark.parametrize("kind", BY_CODE.values())
def test_every_error_has_openais_shape(kind: type[Exception]) -> None:
    response = failures.respond(kind("What went wrong."))  # type: ignore[arg-type]
    error = json.loads(bytes(response.body))["error"]
    assert error["message"] == "What went wrong."
    assert error["code"] == kind.code  # type: ignore[attr-defined]
    assert response.status_code == kind.status  # type: ignore[attr-defined]
    assert (error["type"] == "server_error") == (response.status_code >= 500)


def test_a_retry_is_told_when() -> None:
    assert failures.respond(RateLimited("Slow down.", retry_after_s=9)).headers["retry-after"] == "9"
    assert failures.respond(WorkerLost("Gone.")).headers["retry-after"] == "1"


def test_a_finished_generation_did_not_fail() -> None:
    failures.raise_if_failed(Final(Outcome.FINISHED))


def test_a_failed_one_is_raised_by_its_code() -> None:
    with pytest.raises(WorkerLost) as caught:
        failures.raise_if_failed(Final(Outcome.FAILED, failure=Failure("worker_lost", "Gone.", "model")))
    assert caught.value.param == "model"


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.FINISHED])
def test_every_other_outcome_is_an_error(outcome: Outcome) -> None:
    with pytest.raises((DeadlineExceeded, EngineFailed)):
        failures.raise_if_failed(Final(outcome))
