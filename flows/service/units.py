"""What makes systemd or Docker Compose run `w2v up`: the same command as by hand, with the same settings."""

from collections.abc import Callable

from flows.service.parts import Service

UNITS: dict[str, Callable[[Service], str]] = {}
