import hashlib
from pathlib import Path

from inferno_local import checkout
from inferno_local.jars import Jar, is_sound, missing, read_lock


def test_the_lock_names_digests_and_no_hosts() -> None:
    jars = read_lock(checkout.JARS_LOCK)
    assert {"kafka_2.13", "slf4j-simple"} <= {jar.artifact for jar in jars}
    assert all(len(jar.sha256) == 64 for jar in jars)
    assert len({jar.file for jar in jars}) == len(jars)
    assert "://" not in checkout.JARS_LOCK.read_text()


def test_only_what_the_lock_names_is_sound(tmp_path: Path) -> None:
    jar = Jar("org.example", "a", "1", hashlib.sha256(b"a jar").hexdigest())
    path = tmp_path / jar.file
    assert missing([jar], tmp_path) == [jar]
    path.write_bytes(b"another jar")
    assert not is_sound(jar, path)
    path.write_bytes(b"a jar")
    assert missing([jar], tmp_path) == []
