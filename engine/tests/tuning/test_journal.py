from pathlib import Path

from inferno_engine.tuning.journal import Entry, Journal, Rates
from inferno_engine.tuning.search import Trial
from inferno_engine.tuning.settings import Settings

BEST, OTHER = Settings({"a": 1}, {}), Settings({"a": 2}, {})
TRIAL = Trial("a", "2", OTHER, BEST)
ENTRY = Entry("quick", "a", "2", OTHER.key, BEST.key, (Rates(1, 20.0, 10.0),))


def test_an_interrupted_search_finds_what_it_had_measured(tmp_path: Path):
    Journal(tmp_path / "new" / "journal").add(ENTRY)
    found = Journal(tmp_path / "new" / "journal").find("quick", TRIAL)
    assert found == ENTRY
    assert found.gain == 2.0


def test_another_plan_or_another_best_is_another_measurement(tmp_path: Path):
    journal = Journal(tmp_path / "journal")
    journal.add(ENTRY)
    assert journal.find("thorough", TRIAL) is None
    assert journal.find("quick", TRIAL._replace(best=OTHER)) is None


def test_a_line_that_was_cut_is_as_good_as_none(tmp_path: Path):
    path = tmp_path / "journal"
    Journal(path).add(ENTRY)
    path.write_bytes(path.read_bytes() + b'{"plan": "qu')
    assert Journal(path).find("quick", TRIAL) == ENTRY


def test_what_is_out_has_no_gain():
    assert Entry("quick", "a", "2", "", "", out="disagrees: 3 of 12").gain is None
