"""`taximeter demo`: a dozen real calls in a throw-away home."""

import re
from pathlib import Path

import pytest

from sidecar import local_model
from sidecar.commands.demo import STEPS
from tests.support.cli import Shell
from tests.support.stack import clean_environment


@pytest.mark.model
@pytest.mark.xdist_group("heavy")
@pytest.mark.timeout(120)
@pytest.mark.skipif(bool(local_model.missing()), reason=f"NO EMBEDDED MODEL: {local_model.missing()}")
def test_every_call_of_the_demonstration_is_in_the_books(tmp_path: Path) -> None:
    done = Shell(clean_environment(), tmp_path).run("demo")
    assert done.code == 0, done.err
    assert done.out.endswith(f"\n{len(STEPS)} calls made, {len(STEPS)} in the books.\n")
    total = re.search(r"^total +(\d+) +[\d.]+ % +(\d+) ", done.out, re.MULTILINE)
    assert total is not None
    assert total.groups() == ("12", "2")
    assert list(tmp_path.iterdir()) == []
