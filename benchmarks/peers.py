"""Named peers: each brings the same change set into the same partitions with its own engine.

They are given every advantage: the changed rows already spelled as text (or typed, for Delta), the partitions that
are touched, no index to keep, no fsync, no snapshot and no quotes around strings that need none.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

os.environ |= {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "ERROR",
    "DATA_WRITER__DISABLE_COMPRESSION": "true",
}


def _read(path: Path, width: int) -> str:
    """Return DuckDB's reader of a file of text columns c0, c1, ..."""
    columns = ", ".join(f"'c{at}': 'VARCHAR'" for at in range(width))
    form = "header=false, auto_detect=false, delim=',', quote='\"', escape='\"'"
    return f"read_csv('{path}', {form}, columns={{{columns}}})"


def duckdb_files(live: list[Path], changed: Path, gone: Path, out: Path, *, width: int, created: int) -> None:
    """Write the partitions anew with DuckDB: without changed and deleted ids, with the changed rows.

    Files have ``width`` columns; ``created`` is the place of ``createdon``.
    """
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET preserve_insertion_order=false")
    connection.execute(f"CREATE TABLE changed AS FROM {_read(changed, width)}")
    connection.execute(f"CREATE TABLE gone AS SELECT c0 FROM changed UNION ALL FROM {_read(gone, 1)}")  # noqa: S608 - our own paths
    for path in live:
        connection.execute(
            f"COPY (SELECT * FROM {_read(path, width)} ANTI JOIN gone USING (c0) UNION ALL "  # noqa: S608 - our own paths
            f"SELECT * FROM changed WHERE c{created}[1:7] = '{path.stem}') TO '{out / path.name}' (HEADER false)"
        )


def polars_files(live: list[Path], changed: Path, gone: Path, out: Path, *, created: int) -> None:
    """The same with polars."""
    import polars as pl

    def read(path: Path) -> pl.DataFrame:
        return pl.read_csv(path, has_header=False, infer_schema=False)

    rows = read(changed)
    ids = pl.concat([rows.select("column_0"), read(gone)])
    month = pl.col(f"column_{created}").str.slice(0, 7)
    for path in live:
        kept = read(path).join(ids, on="column_0", how="anti")
        pl.concat([kept, rows.filter(month == path.stem)]).write_csv(out / path.name, include_header=False)


def delta_table(batches: Iterator[pa.RecordBatch], schema: pa.Schema, folder: Path) -> None:
    """Write rows with a column ``month`` as a Delta table, partitioned by it."""
    from deltalake import write_deltalake

    reader = pa.RecordBatchReader.from_batches(schema, batches)
    write_deltalake(str(folder), reader, partition_by=["month"], mode="overwrite")


def delta_merge(folder: Path, changes: pa.Table, columns: list[str], months: list[str]) -> None:
    """Merge typed rows (column ``gone``: delete) into a Delta table; only the months that are touched are looked at."""
    from deltalake import DeltaTable

    within = ", ".join(f"'{month}'" for month in months)
    merge = DeltaTable(str(folder)).merge(
        changes,
        predicate=f"t.accountid = s.accountid AND t.month IN ({within})",
        source_alias="s",
        target_alias="t",
    )
    values = {name: f"s.{name}" for name in columns}
    (
        merge.when_matched_delete(predicate="s.gone")
        .when_matched_update(updates=values)
        .when_not_matched_insert(updates=values, predicate="NOT s.gone")
        .execute()
    )


def dlt_csv(organization: Path, table: str, out: Path, backend: str, work: Path) -> None:
    """Load a table of SQLite into CSV files with dlt."""
    import dlt
    from dlt.destinations import filesystem
    from dlt.sources.sql_database import sql_table

    pipeline = dlt.pipeline("bench", destination=filesystem(str(out)), dataset_name="bench", pipelines_dir=str(work))
    source = sql_table(f"sqlite:///{organization}", table=table, backend=backend, chunk_size=50_000)
    pipeline.run(source, loader_file_format="csv", write_disposition="replace")
