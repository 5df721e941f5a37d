"""Claims about an environment, each a function: what it exports is what the bundle says, and the lake is whole."""

from toolkit.verify.verify import Checked, verify

__all__ = ["Checked", "verify"]
