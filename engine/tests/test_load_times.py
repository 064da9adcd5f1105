from pathlib import Path

from inferno_engine.load_times import LoadTimes


def test_the_last_time_is_what_to_expect(tmp_path: Path):
    file = tmp_path / "state" / "times.json"
    assert LoadTimes(file).expected_s("a", synthetic=True) < LoadTimes(file).expected_s("a", synthetic=False)
    LoadTimes(file).remember("a", 12.34)
    assert LoadTimes(file).expected_s("a", synthetic=False) == 12.3


def test_a_broken_file_costs_only_the_guess(tmp_path: Path):
    (tmp_path / "times.json").write_text("{")
    assert LoadTimes(tmp_path / "times.json").expected_s("a", synthetic=False) > 0
