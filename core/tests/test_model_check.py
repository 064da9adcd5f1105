"""Rule 15: with all rules on nothing breaks; with one switched off, something does."""

import pytest

from inferno_core.model_check.mutants import MUTANTS
from inferno_core.model_check.scenario import Rules, Scenario
from inferno_core.model_check.scenarios import FORGOTTEN, OVERTAKEN, SMALLEST, WALKS
from inferno_core.model_check.search import exhaust, walk, wander
from inferno_core.model_check.world import Model

SEEDS = 3_000


@pytest.mark.timeout(400)
def test_no_state_of_a_takeover_breaks_a_property() -> None:
    result = exhaust(Model(SMALLEST, Rules()), most=1_000_000)
    assert result.found is None, str(result.found)
    assert result.exhausted
    assert result.states >= 100_000


@pytest.mark.parametrize("scenario", [FORGOTTEN, OVERTAKEN], ids=lambda scenario: scenario.name)
def test_no_state_of_a_small_scenario_breaks_a_property(scenario: Scenario) -> None:
    result = exhaust(Model(scenario, Rules()), most=1_000_000)
    assert result.found is None, str(result.found)
    assert result.exhausted


@pytest.mark.parametrize("scenario", WALKS, ids=lambda scenario: scenario.name)
def test_no_walk_breaks_a_property(scenario: Scenario) -> None:
    found = wander(Model(scenario, Rules()), SEEDS).found
    assert found is None, str(found)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", MUTANTS)
def test_each_rule_is_needed(name: str) -> None:
    result = MUTANTS[name].search(states=240_000, walks=SEEDS)
    assert result.found is not None, f"nothing breaks without {name} in {result.states} states"


def test_a_walk_is_repeated_by_its_seed() -> None:
    rules = MUTANTS["rule 4, the read"].rules
    first, second = (walk(Model(WALKS[-1], rules), 11, steps=200) for _ in range(2))
    assert first == second
