"""What is set of brokers, in the table `broker`."""

import re
from dataclasses import dataclass

from ser_stream.errors import ConfigError
from ser_stream.protocol.access_token import read_secret

SHORTEST_KEEPALIVE_S, LONGEST_KEEPALIVE_S = 2, 3600


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """Of all brokers that are published to."""

    user: str | None = None
    password_file: str | None = None
    """Without a user it holds a token, which NATS knows."""
    ca_file: str | None = None
    """Certificates of authorities to trust, PEM; None: those that the system trusts."""
    client_id: str | None = None
    """Of MQTT; None: made of the machine's name and the prefix."""
    keepalive_s: int = 10
    """Seconds after which silence is looked into; a half more, and the broker tells
    others that we are offline."""
    discovery: bool = True
    """Whether MQTT tells Home Assistant of us."""
    discovery_prefix: str = "homeassistant"

    def __post_init__(self) -> None:
        if not SHORTEST_KEEPALIVE_S <= self.keepalive_s <= LONGEST_KEEPALIVE_S:
            raise ConfigError(
                f"broker.keepalive_s is {self.keepalive_s}; allowed: "
                f"{SHORTEST_KEEPALIVE_S} to {LONGEST_KEEPALIVE_S} s"
            )
        if not re.fullmatch(r"[\w.-]+(/[\w.-]+)*", self.discovery_prefix):
            raise ConfigError(
                f"broker.discovery_prefix is {self.discovery_prefix!r}; allowed: "
                "letters, digits and _ - . between slashes, as homeassistant"
            )
        if self.client_id is not None and not re.fullmatch(
            r"[\w.-]{1,128}", self.client_id
        ):
            raise ConfigError(
                f"broker.client_id is {self.client_id!r}; allowed: 1 to 128 letters, "
                "digits and _ - ."
            )

    def password(self) -> str | None:
        """What the file holds, or None without one.

        Raises:
            ConfigError: if it cannot be read, is empty, or others can read it.
        """
        if self.password_file is None:
            return None
        password = read_secret("broker.password_file", self.password_file)
        if not password:
            raise ConfigError(
                f"broker.password_file {self.password_file} is empty; it holds the "
                "password in its first 4 KB and nothing else"
            )
        return password
