from pathlib import Path

from kernels import cache


def test_a_change_in_any_room_with_compiled_loops_changes_the_folder(tmp_path: Path) -> None:
    for room in ("kernels", "pipeline"):
        (tmp_path / room / "deep").mkdir(parents=True)
        (tmp_path / room / "deep" / "a.py").write_text("x = 1")
    first = cache.fingerprint(tmp_path)
    assert cache.fingerprint(tmp_path) == first
    (tmp_path / "pipeline" / "deep" / "a.py").write_text("x = 2")
    assert cache.fingerprint(tmp_path) != first
