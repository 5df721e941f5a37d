"""Model x model -> changes: the difference of two bundles, and the plan that brings an environment to one. Pure."""

from toolkit.plan.changes import AnyChange, Change, Consequence, Effect, describe
from toolkit.plan.diff import Difference, differences
from toolkit.plan.plan import (
    Plan,
    plan_entities,
    plan_import,
    plan_link,
    plan_track,
    plan_uninstall,
    plan_unlink,
)
from toolkit.plan.prerequisites import Profile
from toolkit.plan.world import LakeName, World

__all__ = [
    "AnyChange",
    "Change",
    "Consequence",
    "Difference",
    "Effect",
    "LakeName",
    "Plan",
    "Profile",
    "World",
    "describe",
    "differences",
    "plan_entities",
    "plan_import",
    "plan_link",
    "plan_track",
    "plan_uninstall",
    "plan_unlink",
]
