from __future__ import annotations

import pytest

from realtime.rooms.codes import ALPHABET, PROCESSES, new_code, process_of, read_code, spoken


@pytest.mark.parametrize("process", [0, 1, PROCESSES - 1])
def test_a_code_tells_its_process(process: int) -> None:
    codes = {new_code(process) for _ in range(50)}
    assert len(codes) == 50
    assert {process_of(code) for code in codes} == {process}


def test_a_code_is_read_as_people_write_it() -> None:
    code = new_code(3)
    assert read_code(f" {spoken(code).lower()} ") == code
    assert set(code) <= set(ALPHABET)


@pytest.mark.parametrize("text", ["", "2345678", "234567890", "2345678O", "ÄBCDEFGH", "../../etc", "²³456789"])
def test_what_is_no_code_is_told_apart(text: str) -> None:
    assert read_code(text) is None
