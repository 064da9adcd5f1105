from pathlib import Path

from inferno_local.journal import Follower, tail, trim


def test_a_log_is_cut_once_it_is_too_large(tmp_path: Path) -> None:
    log = tmp_path / "api-0.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"x" * 100)
        trim(log, limit_bytes=100)
        assert log.stat().st_size == 100
        trim(log, limit_bytes=99)
        writer.write(b"on\n")
    assert log.read_bytes() == b"on\n"
    assert (tmp_path / "api-0.log.1").stat().st_size == 100


def test_the_tail_is_the_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("".join(f"{number}\n" for number in range(10)))
    assert tail(log, 2) == ["8", "9"]


def test_a_follower_gives_whole_new_lines(tmp_path: Path) -> None:
    log = tmp_path / "api-0.log"
    log.write_text("old\n")
    follower = Follower([log])
    with log.open("a") as writer:
        writer.write("new\nhal")
        writer.flush()
        assert list(follower.lines()) == [("api-0", "new")]
        writer.write("f\n")
    assert list(follower.lines()) == [("api-0", "half")]
    log.write_text("cut\n")
    assert list(follower.lines()) == [("api-0", "cut")]


def test_a_log_is_cut_though_there_is_no_room_for_a_copy(tmp_path: Path) -> None:
    log = tmp_path / "api-0.log"
    log.write_bytes(b"x" * 100)
    # No copy can be made there, as on a full disk.
    (tmp_path / "api-0.log.1").symlink_to(tmp_path / "missing" / "copy")
    trim(log, limit_bytes=99)
    assert log.read_bytes() == b""
