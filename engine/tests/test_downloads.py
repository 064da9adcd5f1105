from inferno_engine.downloads import Downloads


def test_bytes_are_added_up():
    downloads = Downloads()
    downloads.read("Downloading torch (100.0MiB)")
    halfway = downloads.read("Downloading vllm (100.0MiB)")
    assert halfway.fraction == 0
    done = downloads.read(" Downloaded torch")
    assert done.fraction == 0.5
    assert done.detail == "105 of 210 MB, downloading vllm"


def test_other_words_are_passed_on():
    assert Downloads().read("Resolved 3 packages in 5ms\n").detail == "Resolved 3 packages in 5ms"
