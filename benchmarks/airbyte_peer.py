"""airbyte-source-microsoft-dataverse at work: python benchmarks/airbyte_peer.py URL FILE COLUMN ...

Runs in an environment of its own. Reads accounts with change tracking, writes its messages to FILE, and prints JSON as
benchmarks/tasks.py does. It signs in at the canned service, since it would ask Microsoft's; apart from that it is as
its authors made it.
"""

import json
import resource
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from airbyte_cdk.entrypoint import launch
from source_microsoft_dataverse import dataverse
from source_microsoft_dataverse.source import SourceMicrosoftDataverse


def main() -> None:
    url, file, *columns = sys.argv[1:]
    dataverse.MicrosoftOauth2Authenticator.get_token_refresh_endpoint = lambda _: f"{url}/token"
    stream = {
        "name": "account",
        "json_schema": {"properties": {column: {} for column in columns}},
        "supported_sync_modes": ["incremental"],
    }
    asked = {
        "stream": stream,
        "sync_mode": "incremental",
        "destination_sync_mode": "append",
        "cursor_field": ["modifiedon"],
        "primary_key": [["accountid"]],
    }
    secret = {"tenant_id": "t", "client_id": "c", "client_secret_value": "s"}
    with TemporaryDirectory() as folder:
        config, catalog = Path(folder, "config.json"), Path(folder, "catalog.json")
        config.write_text(json.dumps({"url": url, "odata_maxpagesize": 5000, **secret}))
        catalog.write_text(json.dumps({"streams": [asked]}))
        stdout, cpu, wall = sys.stdout, time.process_time(), time.perf_counter()
        with Path(file).open("w") as sys.stdout:
            launch(SourceMicrosoftDataverse(), ["read", "--config", str(config), "--catalog", str(catalog)])
        wall, cpu, sys.stdout = time.perf_counter() - wall, time.process_time() - cpu, stdout
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"wall": wall, "cpu": cpu, "memory": memory}))


if __name__ == "__main__":
    main()
