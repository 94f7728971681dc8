import asyncio
import hashlib
import ssl
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import ClientSession, web
from cryptography import x509

from auto_voice import tls
from auto_voice.settings import SettingsError


async def test_a_self_made_certificate_serves_a_client_that_trusts_it(tmp_path: Path) -> None:
    cert, key = tls.own_certificate(tmp_path / "tls")

    async def hello(request: web.Request) -> web.Response:
        return web.Response(text="hello")

    app = web.Application()
    app.router.add_get("/", hello)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls.ssl_context(cert, key))
    await site.start()
    port = runner.addresses[0][1]
    trusting = ssl.create_default_context(cafile=str(cert))
    try:
        async with ClientSession() as client:
            for host in ("127.0.0.1", "localhost"):  # the host's name is checked against the certificate
                async with client.get(f"https://{host}:{port}/", ssl=trusting) as response:
                    assert await response.text() == "hello"
            shown = tls.fingerprint(cert)
            pinned = await asyncio.to_thread(
                ssl.get_server_certificate, ("127.0.0.1", port), ca_certs=str(cert)
            )
    finally:
        await runner.cleanup()
    der = ssl.PEM_cert_to_DER_cert(pinned)
    assert shown.replace(":", "").lower() == hashlib.sha256(der).hexdigest()


def test_it_names_this_machine_and_its_key_is_private(tmp_path: Path) -> None:
    cert, key = tls.own_certificate(tmp_path)
    names = x509.load_pem_x509_certificate(cert.read_bytes()).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    dns = names.value.get_values_for_type(x509.DNSName)
    ips = [str(ip) for ip in names.value.get_values_for_type(x509.IPAddress)]
    assert "localhost" in dns
    assert {"127.0.0.1", "::1"} <= set(ips)
    assert set(dns) | set(ips) == set(tls.addresses())
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_it_is_kept_until_shortly_before_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cert, _ = tls.own_certificate(tmp_path)
    first = tls.fingerprint(cert)
    tls.own_certificate(tmp_path)
    assert tls.fingerprint(cert) == first
    monkeypatch.setattr(tls, "RENEW", tls.VALID + timedelta(days=1))
    tls.own_certificate(tmp_path)
    assert tls.fingerprint(cert) != first


@pytest.mark.parametrize("broken", ["self-made.crt", "self-made.key"])
def test_a_damaged_pair_is_made_anew(broken: str, tmp_path: Path) -> None:
    cert, key = tls.own_certificate(tmp_path)
    (tmp_path / broken).write_text("no longer PEM")
    key.chmod(0o644)
    tls.ssl_context(*tls.own_certificate(tmp_path))
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert cert.exists()


def test_a_pair_that_does_not_match_is_made_anew(tmp_path: Path) -> None:
    cert, key = tls.own_certificate(tmp_path / "a")
    _, other = tls.own_certificate(tmp_path / "b")
    key.write_bytes(other.read_bytes())
    with pytest.raises(SettingsError, match="cannot be used"):
        tls.ssl_context(cert, key)
    tls.ssl_context(*tls.own_certificate(tmp_path / "a"))


def test_files_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    cert, key = tls.own_certificate(tmp_path)
    with pytest.raises(SettingsError, match="cannot read"):
        tls.ssl_context(tmp_path / "nowhere.crt", key)
    (tmp_path / "text").write_text("text")
    with pytest.raises(SettingsError, match="cannot be used"):
        tls.ssl_context(tmp_path / "text", key)
    with pytest.raises(SettingsError, match="cannot be used"):
        tls.ssl_context(cert, tmp_path / "text")
