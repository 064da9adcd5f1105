from inferno_engine.synthetic import words


def test_every_token_of_the_vocabulary_has_a_word_of_its_own():
    assert [words.token(word) for word in words.VOCABULARY] == list(range(1024))
    assert {len(word) for word in words.VOCABULARY} == {words.LENGTH}


def test_foreign_words_have_stable_tokens_outside_the_vocabulary():
    first, second = words.encode("Grüße, world")
    assert first != second
    assert min(first, second) >= 1024
    assert words.encode("Grüße,") == [first]


def test_decode_spells_what_encode_numbered():
    assert words.decode(words.encode("bada  bade\nbadi")) == "bada bade badi"
