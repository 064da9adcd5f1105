"""`python -m inferno_core.model_check`: search longer than the tests do."""

import argparse
import sys
import time

from inferno_core.model_check.mutants import MUTANTS
from inferno_core.model_check.scenario import Rules
from inferno_core.model_check.scenarios import EXHAUSTIVE, WALKS
from inferno_core.model_check.search import Result, exhaust, wander
from inferno_core.model_check.world import Model


def main() -> int:
    """Search, print a line for each scenario and mutant, and return 1 if anything is not as it must be."""
    options = _options()
    good = True
    for scenario in EXHAUSTIVE:
        result = exhaust(Model(scenario, Rules()), most=options.states)
        good &= _tell(scenario.name, result, result.found is None)
    for scenario in WALKS:
        result = wander(Model(scenario, Rules()), options.walks)
        good &= _tell(scenario.name, result, result.found is None)
    for name, mutant in MUTANTS.items():
        result = mutant.search(states=options.states, walks=options.walks)
        good &= _tell(f"without {name}", result, result.found is not None)
    return 0 if good else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="model_check", description=__doc__)
    parser.add_argument("--states", type=int, default=1_000_000, help="states to visit in each scenario at most")
    parser.add_argument("--walks", type=int, default=50_000, help="random walks in each larger scenario")
    return parser.parse_args()


def _tell(name: str, result: Result, as_it_must: bool) -> bool:
    scope = "all" if result.exhausted else "the first"
    verdict = "as it must be" if as_it_must else "WRONG"
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {name}: {scope} {result.states:,} states, {verdict}\n")
    if result.found is not None:
        sys.stdout.write(f"{result.found}\n")
    sys.stdout.flush()
    return as_it_must


if __name__ == "__main__":
    sys.exit(main())
