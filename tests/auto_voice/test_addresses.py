from __future__ import annotations

import pytest

from auto_voice.addresses import client_of_address, host_name, is_loopback, is_own_name


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("198.51.100.1", "198.51.100.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::ffff:198.51.100.1", "198.51.100.1"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_a_client_has_many_addresses(address: str, client: str) -> None:
    assert client_of_address(address) == client


@pytest.mark.parametrize("text", ["", "unknown", "198.51.100", "198.51.100.1, 198.51.100.2", "a" * 1000])
def test_what_is_no_address_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="does not appear"):
        client_of_address(text)


def test_names_of_this_machine() -> None:
    assert is_loopback("127.0.0.1")
    assert is_loopback("::1")
    assert is_loopback("localhost")
    assert not is_loopback("0.0.0.0")
    assert not is_loopback("localhost.example.org")
    assert host_name("localhost:80") == "localhost"
    assert host_name("[::1]:80") == "::1"
    assert host_name("[::1") is None
    assert host_name("") is None
    assert is_own_name("192.168.0.1")
    assert not is_own_name("example.org")
