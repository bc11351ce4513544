"""Certificates: lets Java trust what Python trusts on this machine.

Networks with an authority of their own announce it to OpenSSL (``SSL_CERT_FILE``, the system's
bundle); a Java runtime from PyPI knows public authorities only and would refuse every download.
"""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

# Java insists on a password; nothing here is secret, and the JDK's own bundle has the same one.
_PASSWORD = "changeit"


def trust_options(tools: Path) -> list[str]:
    """Return Java options for a truststore with the machine's authorities; none where it has none."""
    authorities = ssl.create_default_context().get_ca_certs(binary_form=True)
    if not authorities:
        return []
    store = tools / "truststore.p12"
    store.write_bytes(_truststore(authorities))
    return [
        f'"-Djavax.net.ssl.trustStore={store}"',
        "-Djavax.net.ssl.trustStoreType=PKCS12",
        f"-Djavax.net.ssl.trustStorePassword={_PASSWORD}",
    ]


def _truststore(authorities: list[bytes]) -> bytes:
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

    certificates = [
        pkcs12.PKCS12Certificate(certificate, f"authority-{number}".encode())
        for number, certificate in enumerate(_readable(authorities))
    ]
    return pkcs12.serialize_java_truststore(certificates, BestAvailableEncryption(_PASSWORD.encode()))


def _readable(authorities: list[bytes]) -> Iterator[Certificate]:
    """Yield the certificates that can be parsed: some old authorities break the standard."""
    from cryptography import x509

    for der in authorities:
        with warnings.catch_warnings(), suppress(ValueError):
            warnings.simplefilter("ignore")
            yield x509.load_der_x509_certificate(der)
