import pytest

from toolkit.cli.doing import sync_text
from toolkit.engine import EntityReport, SyncReport
from toolkit.model.link import EntityState


@pytest.mark.parametrize(
    ("entity", "said"),
    [
        (EntityReport("account", EntityState.COMPLETED), "nothing new"),
        (
            EntityReport("account", EntityState.COMPLETED, bytes=2048, partitions=("2025", "2026")),
            "1 entity, 2 partitions made anew, 2.0 kB",
        ),
        (
            EntityReport("account", EntityState.COMPLETED, written=3, bytes=2048, partitions=("2026",)),
            "1 entity, 3 rows written, 2.0 kB",
        ),
    ],
)
def test_a_pass_tells_the_files_that_it_made_anew_though_no_row_changed(entity: EntityReport, said: str) -> None:
    assert sync_text(SyncReport((entity,))) == said


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (SyncReport((), manifest=True, restored=True), "model.json written anew"),
        (SyncReport((), manifest=True), "nothing new"),
        (
            SyncReport((EntityReport("account", EntityState.COMPLETED),), manifest=True),
            "1 entity, model.json brought up to date",
        ),
        (SyncReport((), mended=("a", "b")), "0 entities, 2 lost snapshots made again"),
    ],
)
def test_what_was_made_good_is_told(report: SyncReport, said: str) -> None:
    assert sync_text(report) == said
