"""Who may sign bundles: public keys as they stand in ``toolkit.yaml``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

KEY_PREFIX = "ed25519:"
PublicKey = Annotated[str, Field(pattern=r"^ed25519:[A-Za-z0-9+/]{43}=$")]
"""An Ed25519 key, 32 bytes in base64, as ``toolkit keygen`` prints it."""
