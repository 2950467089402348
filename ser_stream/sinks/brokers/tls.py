"""Whom we trust."""

import ssl

from ser_stream.errors import ConfigError
from ser_stream.paths import user_path


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Trust the authorities of a file, or those that the system trusts.

    Raises:
        ConfigError: if the file cannot be read, or holds no certificate.
    """
    path = None if ca_file is None else user_path(ca_file)
    try:
        return ssl.create_default_context(cafile=path)
    except OSError as error:  # SSLError is one
        reason = error.strerror if not isinstance(error, ssl.SSLError) else None
        raise ConfigError(
            f"broker.ca_file {path}: {reason or 'it holds no certificate'}; allowed: a "
            "file of certificates in PEM"
        ) from None
