from inferno_engine.tuning.settings import Settings

DOCUMENT = {"dtype": "float32", "max_num_seqs": 32, "environment": {"OMP_NUM_THREADS": "2"}}


def test_a_document_is_read_and_written_alike():
    assert Settings.read(DOCUMENT).document() == DOCUMENT
    assert Settings.read({"dtype": "float32"}).document() == {"dtype": "float32"}


def test_a_change_sets_and_takes_out():
    changed = Settings.read(DOCUMENT).changed(
        {"max_num_seqs": None, "block_size": 16, "environment": {"OMP_NUM_THREADS": None, "LD_PRELOAD": "/a.so"}}
    )
    assert changed.document() == {"dtype": "float32", "block_size": 16, "environment": {"LD_PRELOAD": "/a.so"}}


def test_the_same_settings_have_one_name():
    turned = dict(reversed(DOCUMENT.items()))
    assert Settings.read(turned).key == Settings.read(DOCUMENT).key
    assert Settings.read({"dtype": "bfloat16"}).key != Settings.read({"dtype": "float32"}).key
