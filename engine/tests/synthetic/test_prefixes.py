from inferno_engine.synthetic.prefixes import BLOCK, Prefixes, blocks

WORDS = [f"w{i}" for i in range(5 * BLOCK)]


def test_prompts_that_begin_alike_share_their_first_blocks():
    one, other = blocks(WORDS), blocks([*WORDS[: 2 * BLOCK], "else", *WORDS])
    assert one[:2] == other[:2]
    assert not set(one[2:]) & set(other[2:])


def test_only_whole_blocks_count():
    assert len(blocks(WORDS[: BLOCK - 1])) == 0
    assert len(blocks(WORDS[: 2 * BLOCK + 3])) == 2


def test_what_was_read_is_known_and_counted():
    prefixes = Prefixes(100)
    assert prefixes.take(blocks(WORDS[: 3 * BLOCK + 1]), 3 * BLOCK + 1) == 0
    assert prefixes.take(blocks(WORDS), 5 * BLOCK) == 3 * BLOCK
    assert (prefixes.queries, prefixes.hits) == (8 * BLOCK + 1, 3 * BLOCK)


def test_the_last_token_of_a_prompt_is_always_read():
    prefixes = Prefixes(100)
    prefixes.take(blocks(WORDS), 5 * BLOCK)
    assert prefixes.take(blocks(WORDS), 5 * BLOCK) == 4 * BLOCK


def test_what_was_used_longest_ago_is_forgotten():
    prefixes = Prefixes(2)
    one, other, third = (blocks([name] * BLOCK) for name in "abc")
    for names in (one, other, one, third):
        prefixes.take(names, BLOCK + 1)
    assert prefixes.take(one, BLOCK + 1) == BLOCK
    assert prefixes.take(other, BLOCK + 1) == 0
