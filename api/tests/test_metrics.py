import re

from inferno_api.metrics import Metrics


def test_two_processes_figures_are_apart() -> None:
    first, second = Metrics(), Metrics()
    first.requests.labels("/v1/models", "200", "").inc()
    assert b'status="200"' in first.render()
    assert b'status="200"' not in second.render()


def test_every_figure_has_its_unit_in_its_name() -> None:
    names = set(
        re.findall(r"^# TYPE (inferno_\w+) (?:histogram|counter|gauge)", Metrics().render().decode(), re.MULTILINE)
    )
    assert names
    assert all(re.search(r"_(seconds|total|bytes|in_flight)$", name) for name in names)
