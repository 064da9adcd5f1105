from inferno_engine.measuring import synthetic_cost


def test_the_engine_gives_three_hundred_thousand_tokens_a_second_on_a_core():
    cost = synthetic_cost.measure(streams=256, tokens=100)
    assert cost.step_us < 3.3
    assert "tokens/s on a core" in str(cost)
