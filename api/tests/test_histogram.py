from prometheus_client import CollectorRegistry, Histogram, generate_latest

from inferno_api.telemetry import histogram


def test_it_counts_as_prometheus_own_does() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    bounds = (0.5, 1, 2.5)
    own = histogram.Histogram("a_seconds", "Something.", ("model",), bounds, ours)
    reference = Histogram("a_seconds", "Something.", ("model",), buckets=bounds, registry=theirs)
    for model in ("x", 'with "quotes"'):
        for value in (0.0, 0.5, 0.50001, 1.0, 2.0, 2.5, 99.0):
            own.of(model).observe(value)
            reference.labels(model).observe(value)
    said = [line for line in generate_latest(theirs).splitlines() if b"_created" not in line]
    assert generate_latest(ours).splitlines() == said


def test_a_series_is_the_same_for_the_same_labels() -> None:
    family = histogram.Histogram("a_seconds", "Something.", (), (1,), CollectorRegistry())
    assert family.of() is family.of()
