"""Rules of the repository that a machine can check."""

import io
import re
import subprocess
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = {".py", ".md", ".yaml", ".yml", ".toml", ".json", ".txt", ".in", ".csv", ".xml", ""}


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [path for path in paths if path.suffix in TEXT and path.is_file()]


def comments(path: Path) -> list[tuple[int, str]]:
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text()).readline)
    return [(token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT]


def test_every_suppression_gives_its_reason() -> None:
    bare = [
        f"{path.relative_to(ROOT)}:{line} {comment}"
        for path in tracked()
        if path.suffix == ".py"
        for line, comment in comments(path)
        if re.search(r"# (noqa|type: ignore|pragma)", comment) and not re.search(r"( - | {2}# )\w", comment)
    ]
    assert bare == []


def test_code_and_prose_are_plain_ascii() -> None:
    odd = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in tracked()
        # Tests and data hold other characters on purpose: that is what they are about.
        if path.suffix in {".py", ".md", ".toml", ".yml"} and "tests" not in path.parts
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if not line.isascii()
    ]
    assert odd == []


def test_no_file_names_a_package_registry() -> None:
    pattern = re.compile(r"--(extra-)?index-url|pypi\.org|registry\.npmjs|files\.pythonhosted")
    named = [
        str(path.relative_to(ROOT))
        for path in tracked()
        if path != Path(__file__) and pattern.search(path.read_text(encoding="utf-8"))
    ]
    assert named == []


def test_every_requirement_is_pinned_and_hashed() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        blocks = re.findall(r"^[A-Za-z0-9].*?(?=^[A-Za-z0-9]|\Z)", path.read_text(), flags=re.MULTILINE | re.DOTALL)
        loose = [block.splitlines()[0] for block in blocks if "==" not in block or "--hash=sha256:" not in block]
        assert loose == []


def test_the_package_does_no_catch_all() -> None:
    broad = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in (ROOT / "toolkit").rglob("*.py")
        if "cli" not in path.parts
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.match(r"\s*except( Exception| BaseException)?( as \w+)?:", line)
    ]
    assert broad == []
