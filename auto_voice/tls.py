"""Certificates for https, without which a browser gives the microphone to localhost only."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from auto_voice.settings import SettingsError

VALID = timedelta(days=365)
RENEW = timedelta(days=30)


def own_certificate(folder: Path) -> tuple[Path, Path]:
    """A self-made certificate for this machine's names and addresses, and its key; made when needed.

    Browsers warn about it once; anybody who needs no warning gives a certificate of their own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    cert, key = folder / "self-made.crt", folder / "self-made.key"
    if not (cert.exists() and key.exists() and _usable(cert, key)):
        _make(cert, key)
    return cert, key


def ssl_context(cert: Path, key: Path) -> ssl.SSLContext:
    """A server context.

    Raises:
        SettingsError: files that cannot be read, are not PEM, or do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(cert, key)
    except ssl.SSLError as problem:
        raise SettingsError(
            f"{cert} and {key} cannot be used: {problem.reason or problem}",
            "give a PEM certificate and its own key",
        ) from problem
    except OSError as problem:
        raise SettingsError(f"cannot read {cert} or {key}: {problem.strerror}", "check the paths") from problem
    return context


def fingerprint(cert: Path) -> str:
    """The SHA-256 fingerprint that a browser shows for a certificate."""
    digest = x509.load_pem_x509_certificate(cert.read_bytes()).fingerprint(hashes.SHA256())
    return ":".join(f"{byte:02X}" for byte in digest)


def addresses() -> list[str]:
    """This machine's names and addresses, as far as it knows them itself."""
    host = socket.gethostname()
    names = ["localhost", "127.0.0.1", "::1", host]
    for family, elsewhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        # which address would be used to reach others; connecting a datagram socket sends nothing
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((elsewhere, 9))
            names.append(str(probe.getsockname()[0]))
    try:
        found = {str(info[4][0]).split("%")[0] for info in socket.getaddrinfo(host, None)}
    except OSError:
        found = set()
    return list(dict.fromkeys([*names, *sorted(found)]))


def _usable(cert: Path, key: Path) -> bool:
    """Whether the two files belong together and the certificate stays valid for a while."""
    try:
        certificate = x509.load_pem_x509_certificate(cert.read_bytes())
        private = serialization.load_pem_private_key(key.read_bytes(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False
    fresh = certificate.not_valid_after_utc > datetime.now(UTC) + RENEW
    return fresh and certificate.public_key() == private.public_key()


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _make(cert: Path, key: Path) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "AutoVoice on this machine")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectAlternativeName([_general_name(a) for a in addresses()]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(private, hashes.SHA256())
    )
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key.unlink(missing_ok=True)  # the mode below is for new files only
    with open(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123
        file.write(pem)
    cert.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
