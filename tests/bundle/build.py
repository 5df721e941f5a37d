"""Bundles for tests: small literal ones, and strategies for any."""

from pathlib import Path

from hypothesis import strategies as st

from toolkit.model.bundle import Bundle
from toolkit.model.config import (
    Cloud,
    Condition,
    Endpoints,
    ExportConfig,
    Layout,
    LinkedEntity,
    Mask,
    Output,
    PartitionStrategy,
    Retention,
    RetryPolicy,
    Storage,
    Times,
    derived_endpoints,
)
from toolkit.model.overlay import ConfigOverlay, EntityOverlay, OutputOverlay, Overlay, RetentionOverlay
from toolkit.model.solution import Address, MissingDependency, Package, Publisher, RootComponent, Solution
from toolkit.model.version import Version

SOLUTION = Solution(
    unique_name="ContosoLake",
    display_names={1033: "Contoso Lake"},
    version=Version("1.0.0.0"),
    publisher=Publisher(unique_name="contoso", prefix="cts", option_value_prefix=72700),
)
CONFIG = ExportConfig(
    id="653ae937-c02f-ed11-9db1-0022482dfdbf",
    name="contosolake",
    storage=Storage(subscription="46a1f76e-1c0b-4b43-9a4f-0b5f3c1d7e20", resource_group="lake", account="contosolake"),
    entities=(
        LinkedEntity(name="account", partition_strategy=PartitionStrategy.MONTH),
        LinkedEntity(name="contact", partition_strategy=PartitionStrategy.YEAR, append_only=True),
    ),
)
OTHER = CONFIG.model_copy(
    update={
        "id": "9368f9e9-753f-ed11-9db0-000d3a8be5ea",
        "name": "contososervice",
        "storage": Storage(account="contososervice"),
    }
)
PROD = Overlay(configs={"contosolake": ConfigOverlay(storage_account="contosoprod", interval_minutes=30)})
BUNDLE = Bundle(solution=SOLUTION, configs=(CONFIG, OTHER), overlays={"prod": PROD})

SOLUTION_YAML = """\
# yaml-language-server: $schema=solution.schema.json
# The lake of sales
unique_name: ContosoLake
display_names:
  1033: Contoso Lake  # as the portal shows it
version: "1.0.0.0"
publisher:
  option_value_prefix: 72700
  unique_name: contoso
  prefix: cts
"""
CONFIG_YAML = """\
# yaml-language-server: $schema=config.schema.json
name: contosolake
id: 653ae937-c02f-ed11-9db1-0022482dfdbf
storage:
  account: contosolake
  subscription: 46a1f76e-1c0b-4b43-9a4f-0b5f3c1d7e20
  resource_group: lake
entities:
  # Everybody asks for accounts
  - name: account
    partition_strategy: Month
  - name: contact
    partition_strategy: Year
    append_only: true  # history for the auditors
"""
PROD_YAML = """\
# yaml-language-server: $schema=overlay.schema.json
configs:
  contosolake:
    storage_account: contosoprod  # paid by IT
    interval_minutes: 30
"""


def write_source(folder: Path, **texts: str) -> Path:
    """Write a source folder with the texts above, or others in their place (``config``, ``prod``, ``solution``)."""
    files = {"solution": SOLUTION_YAML, "config": CONFIG_YAML, "prod": PROD_YAML} | texts
    paths = {"solution": "solution.yaml", "config": "configs/contosolake.yaml", "prod": "environments/prod.yaml"}
    for name, text in files.items():
        path = folder / paths[name]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


# --- any ------------------------------------------------------------------------------------------------------------

words = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,12}", fullmatch=True)
logical = st.from_regex(r"[a-z_][a-z0-9_]{0,12}", fullmatch=True)
accounts = st.from_regex(r"[a-z0-9]{3,24}", fullmatch=True)
guids = st.uuids().map(str)
# Everything that XML 1.0 can hold.
chars = st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff").filter(
    lambda char: char >= " " or char in "\t\n\r"
)
texts = st.text(chars, min_size=1, max_size=20)
lines = texts.map(str.strip).filter(bool)
names = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20)
maybe = st.none() | lines
localized = st.dictionaries(st.integers(1, 9999), texts, max_size=3)
json_texts = st.sampled_from(["null", "1.10", '"x"', '{"b":1,"a":[true,{}]}', "[]", "1e400", '"\\u00e9"'])
extras = st.dictionaries(words.filter(lambda word: word not in {"Type", "Entities"}), json_texts, max_size=3)
strategies = st.sampled_from(PartitionStrategy)


@st.composite
def addresses(draw: st.DrawFn, number: int) -> Address:
    fields = [name for name in Address.model_fields if name != "address_number"]
    chosen = draw(st.lists(st.sampled_from(fields), unique=True, max_size=4))
    return Address(address_number=number, **{name: draw(lines) for name in chosen})


publishers = st.builds(
    Publisher,
    unique_name=words,
    display_names=localized,
    descriptions=localized,
    email=maybe,
    website=maybe,
    prefix=st.from_regex(r"[a-z][a-z0-9]{1,7}", fullmatch=True).filter(lambda p: not p.startswith("mscrm")),
    option_value_prefix=st.integers(10_000, 99_999),
    addresses=st.one_of(
        st.just(()), st.tuples(addresses(1)), st.tuples(addresses(2)), st.tuples(addresses(1), addresses(2))
    ),
)
solutions = st.builds(
    Solution,
    unique_name=words,
    display_names=localized,
    descriptions=localized,
    version=st.from_regex(r"[0-9]{1,5}(\.[0-9]{1,5}){0,3}", fullmatch=True).map(Version),
    package=st.sampled_from(Package),
    publisher=publishers,
    root_components=st.lists(
        st.builds(RootComponent, type=lines, id=maybe, schema_name=maybe, behavior=maybe), max_size=3
    ).map(tuple),
    missing_dependencies=st.lists(
        st.builds(
            MissingDependency,
            required=st.dictionaries(words, texts, min_size=1, max_size=3),
            dependent=st.dictionaries(words, texts, max_size=3),
        ),
        max_size=2,
    ).map(tuple),
)
conditions = st.one_of(
    st.builds(Condition, column=logical, equals=texts),
    st.builds(Condition, column=logical, not_equals=st.just("") | texts),
    st.builds(Condition, column=logical, any_of=st.lists(texts, min_size=1, max_size=3).map(tuple)),
    st.builds(Condition, column=logical, at_least=texts),
    st.builds(Condition, column=logical, below=st.sampled_from(["1.10", "no", "null", "2024-01-01"])),
    st.builds(Condition, column=logical, is_null=st.booleans()),
)
columns = st.lists(logical, max_size=3).map(tuple)
filters = st.lists(conditions, max_size=2).map(tuple)
masks = st.dictionaries(logical, st.sampled_from(Mask), max_size=2)
scans = st.none() | st.integers(1, 10_080)
entities = st.builds(
    LinkedEntity,
    name=logical,
    partition_strategy=st.none() | strategies,
    records_per_block=st.integers(1, 10**6),
    append_only=st.booleans(),
    columns=st.none() | columns,
    filter=filters,
    mask=masks,
    scan_minutes=scans,
    extra=extras,
)


@st.composite
def storages(draw: st.DrawFn) -> Storage:
    account, cloud = draw(accounts), draw(st.sampled_from(Cloud))
    workspace = draw(st.none() | accounts)
    derived = derived_endpoints(account, workspace, cloud)
    typed = Endpoints(**derived.model_dump() | {"blob": draw(lines)})
    return Storage(
        subscription=draw(st.just("") | lines),
        resource_group=draw(st.just("") | lines),
        account=account,
        cloud=cloud,
        workspace=workspace,
        file_system=draw(st.none() | st.just("lake-1")),
        tenant=draw(maybe),
        endpoints=draw(st.sampled_from([None, typed if typed != derived else None])),
    )


configs = st.builds(
    ExportConfig,
    id=guids,
    name=names,
    storage=storages(),
    entities=st.lists(entities, max_size=4, unique_by=lambda entity: entity.name).map(tuple),
    interval_minutes=st.integers(5, 10_080),
    retry=st.builds(RetryPolicy, max_count=st.integers(0, 1000), interval_seconds=st.integers(0, 86_400)),
    output=st.builds(
        Output,
        header=st.booleans(),
        times=st.sampled_from(Times),
        labels=st.none() | st.integers(1, 65_535),
        layout=st.sampled_from(Layout),
    ),
    snapshots=st.builds(Retention, keep=st.integers(1, 10), keep_days=st.none() | st.integers(1, 90)),
    destination=st.sampled_from(["Adls", "Other"]),
    write_delete_log=st.booleans(),
    odi_enabled=st.booleans(),
    is_default=st.none() | st.booleans(),
    customizable=st.booleans(),
    state=st.integers(0, 1),
    status=st.integers(1, 2),
    extra=extras,
)
overlays = st.builds(
    Overlay,
    configs=st.dictionaries(
        lines,
        st.builds(
            ConfigOverlay,
            subscription=maybe,
            storage_account=st.none() | accounts,
            cloud=st.none() | st.sampled_from(Cloud),
            interval_minutes=st.none() | st.integers(5, 10_080),
            output=st.none()
            | st.builds(
                OutputOverlay,
                header=st.none() | st.booleans(),
                times=st.none() | st.sampled_from(Times),
                labels=st.none() | st.integers(1, 65_535),
                layout=st.none() | st.sampled_from(Layout),
            ),
            snapshots=st.none() | st.builds(RetentionOverlay, keep=st.none() | st.integers(1, 10)),
            entities=st.dictionaries(
                logical,
                st.builds(
                    EntityOverlay,
                    partition_strategy=st.none() | strategies,
                    columns=st.none() | columns,
                    filter=st.none() | filters,
                    mask=masks,
                    scan_minutes=scans,
                    exclude=st.booleans(),
                ),
            ),
        ),
        max_size=2,
    ),
)
bundles = st.builds(
    Bundle,
    solution=solutions,
    configs=st.lists(configs, max_size=3, unique_by=lambda config: config.id).map(tuple),
    overlays=st.dictionaries(st.sampled_from(["dev", "test", "prod"]), overlays, max_size=2),
)
