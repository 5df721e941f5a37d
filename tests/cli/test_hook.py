from pathlib import Path

from ruamel.yaml import YAML

from tests.bundle.build import write_source
from tests.cli.conftest import Run
from toolkit.cli import root

HOOKS = Path(__file__).parents[2] / ".pre-commit-hooks.yaml"


def test_validate_looks_at_the_bundles_of_the_files(run: Run, tmp_path: Path) -> None:
    write_source(tmp_path / "Lake")
    write_source(tmp_path / "Broken", config="name: [")
    assert run("hook", "validate", "Lake/solution.yaml", "Lake/configs/contosolake.yaml", "toolkit.yaml").exit_code == 0
    done = run("hook", "validate", "Lake/solution.yaml", "Broken/solution.yaml")
    assert (done.exit_code, "Broken/configs/contosolake.yaml" in done.stdout) == (1, True)
    assert run("hook", "validate", "Broken/README.yaml").exit_code == 0


def test_secrets_are_found_by_place_and_not_told(run: Run, tmp_path: Path) -> None:
    run("keygen", "signing.key")
    (tmp_path / "a.txt").write_text("fine\nAccountKey=s3cret;\n")
    done = run("hook", "secrets", "a.txt", "signing.key", "gone.txt")
    assert done.exit_code == 1
    assert "a secret stands in a.txt:2" in done.stdout
    assert "a secret stands in signing.key:1" in done.stdout
    assert "s3cret" not in done.output
    assert run("hook", "secrets", "toolkit.yaml").exit_code == 0


def test_every_hook_is_a_command_that_there_is(run: Run) -> None:
    hooks = YAML(typ="safe", pure=True).load(HOOKS.read_text())
    assert [hook["id"] for hook in hooks] == ["toolkit-validate", "toolkit-secrets", "toolkit-schema"]
    for hook in hooks:
        program, *words = hook["entry"].split()
        assert program == root.name
        assert run(*words).exit_code == 0
