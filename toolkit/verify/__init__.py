"""Claims about an environment, each a function: what it exports is what the bundle says, and the lake is whole."""

from toolkit.verify.facts import Checked
from toolkit.verify.verify import verify

__all__ = ["Checked", "verify"]
