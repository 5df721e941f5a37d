"""Apply and verify where an import writes the overlay's values into the package, or imports nothing."""

from __future__ import annotations

from dataclasses import dataclass

from tests.apply.rig import HOLDER, Faulty, Rig
from tests.environment import packages
from tests.plan.build import CONFIG, bundle, config
from toolkit.apply import apply
from toolkit.bundle import write_bundle
from toolkit.model.environment import Inventory, Registration
from toolkit.model.solution import Package
from toolkit.plan import plan_import, plan_uninstall
from toolkit.verify import verify

ONE = bundle(config("account", interval_minutes=30), package=Package.UNMANAGED)
OVERLAID = config("account", interval_minutes=15)


@dataclass
class Registering(Faulty):
    """An environment that registers bundles in another way than the embedded one."""

    how: Registration = Registration.AS_IS

    def inventory(self) -> Inventory:
        return super().inventory().model_copy(update={"registration": self.how})


def brought(rig: Rig, how: Registration) -> list[str]:
    """Import the bundle with its overlay, and return the kinds of changes that it took."""
    rig.environment = Registering(rig.embedded, how=how)
    plan = plan_import(ONE, (OVERLAID,), rig.world(OVERLAID))
    archive = write_bundle(ONE, None).to_bytes()
    apply(plan, rig.site, archive, clock=rig.clock, holder=HOLDER)
    return [change.kind for change in plan.changes]


def found(rig: Rig) -> list[str]:
    checked = verify(rig.site, clock=rig.clock, bundle=ONE, expected=(OVERLAID,))
    return [finding.code for one in checked for finding in one.findings]


def test_the_values_of_the_overlay_reach_the_row_and_the_record_keeps_the_bundle(prod: Rig) -> None:
    assert brought(prod, Registration.EFFECTIVE) == ["solution.register", "link.create"]
    assert prod.embedded.inventory().configs[CONFIG].config.interval_minutes == 15
    record, _ = prod.site.record()
    assert record is not None
    assert record.applied[-1].bundle == ONE.digest
    assert (brought(prod, Registration.EFFECTIVE), found(prod)) == ([], [])


def test_as_it_is_the_package_keeps_its_own_values(prod: Rig) -> None:
    brought(prod, Registration.AS_IS)
    assert prod.embedded.inventory().configs[CONFIG].config.interval_minutes == 30
    data = prod.embedded.export_solution("ContosoLake", managed=False)
    assert packages.read(data).configs[0].interval_minutes == 30


def test_where_only_links_are_made_the_environment_keeps_no_solution_and_all_is_well(prod: Rig) -> None:
    assert brought(prod, Registration.LINK_ONLY) == ["link.create"]
    assert "ContosoLake" not in prod.embedded.inventory().solutions
    assert (brought(prod, Registration.LINK_ONLY), found(prod)) == ([], [])


def test_an_uninstall_there_ends_the_link_and_the_history_says_so(prod: Rig) -> None:
    brought(prod, Registration.LINK_ONLY)
    plan = plan_uninstall("ContosoLake", prod.world(), prune=True)
    # The environment over the Web API has nothing to delete then; the embedded one has no such mode.
    prod.environment = Registering(_Nothing(prod.embedded), how=Registration.LINK_ONLY)
    apply(plan, prod.site, clock=prod.clock, holder=HOLDER)
    record, _ = prod.site.record()
    assert record is not None
    assert [(entry.version.text, entry.removed) for entry in record.applied] == [("1.0.0.0", False), ("1.0.0.0", True)]
    assert prod.site.links() == ()


class _Nothing(Faulty):
    def uninstall(self, name: str) -> None:
        assert name == "ContosoLake"
