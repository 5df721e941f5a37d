"""The origin of a URL, as RFC 6454 has it, and whether it is on this machine."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import SplitResult


def origin(parts: SplitResult) -> str:
    """Return scheme, host and port; a port that is the scheme's own is left out."""
    host = parts.hostname or ""
    shown = f"[{host}]" if ":" in host else host
    standard = {"https": 443, "http": 80}.get(parts.scheme)
    return f"{parts.scheme}://{shown}" + (f":{parts.port}" if parts.port not in {None, standard} else "")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its name or address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
