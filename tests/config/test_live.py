"""The configuration in force: what a reload swaps, refuses, and who follows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from sidecar.core.clock import Clock
from sidecar.edge.gate import Gate
from sidecar.health import Health
from sidecar.limits import Limits
from sidecar.pricing import Pricing
from sidecar.reload import followed, preparing
from sidecar.settings import Check, ConfigErrors, Configuration, Loaded, Mistake, reload_on_change, reload_on_signal
from sidecar.settings.load import load as load_settings
from tests.support.config import ROWS, WIRES, chain, load
from tests.support.rig import Notes

ONE, TWO = "[aliases.mine]\nchain = ['openai/one']\n", "[aliases.mine]\nchain = ['openai/two']\n"
PRICE = "[[price]]\nprovider = 'openai'\nmodel = 'one'\ninput = 1\n"


class Scene:
    """A folder whose files are the configuration."""

    def __init__(self, folder: Path, toml: str = ONE, environ: str = "OPENAI_API_KEY=KEY") -> None:
        self.folder, self.environ, self.notes = folder, environ, Notes()
        started = load(folder, environ, toml=toml)
        self.pricing = Pricing(started.settings.prices_file)
        self.configuration = Configuration(started, preparing(self._reread, self.pricing), Clock(), self.notes)

    def write(self, toml: str) -> None:
        (self.folder / "taximeter.toml").write_text(toml)

    def _reread(self, check: Check) -> Loaded:
        from tests.support.config import variables

        return load_settings(variables(self.environ), self.folder, WIRES, ROWS, check)

    @property
    def mine(self) -> list[str]:
        return chain(self.configuration.loaded, "mine")

    @property
    def said(self) -> list[str]:
        return [event for event, _ in self.notes.lines]


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.005)


async def test_a_reload_swaps_the_whole(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    before = scene.configuration.catalog
    scene.write(TWO)
    done = await scene.configuration.reload("test")
    assert (done.generation, done.changes) == (2, ("alias mine: failover: openai/one -> failover: openai/two",))
    assert scene.mine == ["openai/two"]
    assert before.aliases["mine"].routes[0].target.model == "one", "whoever holds the old one keeps it"


async def test_nothing_new_is_no_new_generation(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    before = scene.configuration.catalog
    done = await scene.configuration.reload("test")
    assert (done.generation, done.changes) == (1, ())
    assert scene.configuration.catalog is before


async def test_a_dry_run_changes_nothing(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.write(TWO)
    assert (await scene.configuration.reload("test", dry_run=True)).changes
    assert scene.mine == ["openai/one"]
    scene.write("nonsense")
    with pytest.raises(ConfigErrors):
        await scene.configuration.reload("test", dry_run=True)
    assert scene.configuration.refused == ()


async def test_a_bad_one_is_refused_with_every_error_until_a_good_one_comes(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.write(TWO + "[system]\ngrace = 'soon'\nnope = 1\n")
    with pytest.raises(ConfigErrors) as refused:
        await scene.configuration.reload("test")
    assert [mistake.where for mistake in refused.value.mistakes] == [
        "taximeter.toml: system.nope",
        "taximeter.toml: system.grace",
    ]
    assert scene.mine == ["openai/one"]
    assert scene.configuration.refused == refused.value.mistakes
    assert scene.configuration.refused_at_ns is not None
    assert scene.said == ["reload_refused"]
    scene.write(TWO)
    await scene.configuration.reload("test")
    assert not scene.configuration.refused
    assert not scene.configuration.refused_at_ns


async def test_prices_are_read_with_it_and_refused_with_it(tmp_path: Path) -> None:
    (tmp_path / "prices.toml").write_text(PRICE)
    scene = Scene(tmp_path, ONE + "[system]\nprices_file = 'prices.toml'\n")
    account = scene.configuration.catalog.accounts["openai"]
    (tmp_path / "prices.toml").write_text(PRICE.replace("input = 1", "input = 2"))
    done = await scene.configuration.reload("test")
    assert done.changes == ("prices: TAXIMETER_PRICES_FILE, 1 entries",)
    card = scene.pricing.rates(account, "one")
    assert card is not None
    assert card.rates["input"].base == 2 * 10**12
    (tmp_path / "prices.toml").write_text("nonsense")
    scene.write(ONE + "[system]\nprices_file = 'prices.toml'\nnope = 1\n")
    with pytest.raises(ConfigErrors) as refused:
        await scene.configuration.reload("test")
    assert [mistake.where for mistake in refused.value.mistakes] == [
        "taximeter.toml: system.nope",
        str(tmp_path / "prices.toml"),
    ]
    assert scene.pricing.rates(account, "one") == card


async def test_who_holds_more_than_the_catalogue_follows(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    health, gate = Health(scene.configuration.catalog.breaker, Clock()), Gate(1000)
    followed(scene.configuration, health, Limits(Clock()), gate)
    scene.write("[system]\nmax_calls = 3\n")
    await scene.configuration.reload("test")
    assert gate.max_calls == 3


async def test_what_waits_for_a_restart_is_told_as_long_as_it_waits(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.write("[system]\nmax_message = '1MiB'\n")
    waits = ("TAXIMETER_MAX_MESSAGE: 16777216 -> 1048576",)
    assert (await scene.configuration.reload("test")).needs_restart == waits
    assert (await scene.configuration.reload("test")).needs_restart == waits


@pytest.mark.parametrize("name", ["taximeter.toml", ".env", "providers.json"])
async def test_a_changed_file_is_noticed(tmp_path: Path, name: str) -> None:
    """Whether it was there before or not."""
    scene = Scene(tmp_path, ONE + "[system]\nreload_interval = '50ms'\n")
    text = {
        "taximeter.toml": TWO,
        ".env": "AI_MAX_RETRIES=7\n",
        "providers.json": '{"providers": [{"name": "groq", "default_model": "m"}]}',
    }
    watching = asyncio.create_task(reload_on_change(scene.configuration))
    await asyncio.sleep(0.01)
    (tmp_path / name).write_text(text[name])
    await until(lambda: scene.configuration.generation == 2)
    watching.cancel()


async def test_a_bad_file_is_told_once(tmp_path: Path) -> None:
    scene = Scene(tmp_path, ONE + "[system]\nreload_interval = '50ms'\n")
    watching = asyncio.create_task(reload_on_change(scene.configuration))
    scene.write("nonsense")
    await until(lambda: scene.configuration.refused)
    await asyncio.sleep(0.3)
    assert scene.said == ["reload_refused"]
    scene.write(TWO)
    await until(lambda: scene.mine == ["openai/two"])
    watching.cancel()


async def test_a_file_that_a_refused_configuration_names_is_looked_at_too(tmp_path: Path) -> None:
    """Mending that one is enough."""
    scene = Scene(tmp_path, ONE + "[system]\nreload_interval = '50ms'\n")
    watching = asyncio.create_task(reload_on_change(scene.configuration))
    scene.write(TWO + "[system]\nreload_interval = '50ms'\nproviders_file = 'mine.json'\n")
    await until(lambda: scene.configuration.refused)
    (tmp_path / "mine.json").write_text('{"providers": [{"name": "groq", "default_model": "m"}]}')
    await until(lambda: scene.mine == ["openai/two"])
    watching.cancel()


async def test_a_file_that_is_still_being_written_is_left_alone(tmp_path: Path) -> None:
    """A change counts once it has stood still for an interval."""
    scene = Scene(tmp_path, ONE + "[system]\nreload_interval = '100ms'\n")
    watching = asyncio.create_task(reload_on_change(scene.configuration))
    for size in range(10):
        scene.write(TWO + "#" * size)
        await asyncio.sleep(0.04)
    assert "reloaded" not in scene.said
    await until(lambda: scene.mine == ["openai/two"])
    assert scene.said == ["reloaded"]
    watching.cancel()


async def test_sighup_reloads_and_survives_a_bad_file(tmp_path: Path) -> None:
    scene, hangup = Scene(tmp_path), asyncio.Event()
    watching = asyncio.create_task(reload_on_signal(scene.configuration, hangup))
    scene.write("nonsense")
    hangup.set()
    await until(lambda: scene.configuration.refused)
    scene.write(TWO)
    hangup.set()
    await until(lambda: scene.mine == ["openai/two"])
    watching.cancel()


async def test_a_reload_that_breaks_is_a_refusal_too(tmp_path: Path) -> None:
    def broken() -> None:
        raise RuntimeError("a secret")

    notes = Notes()
    configuration = Configuration(load(tmp_path), broken, Clock(), notes)  # type: ignore[arg-type] # breaks anyway
    await configuration.try_reload("test")
    assert configuration.refused == (Mistake("reload", "failed: RuntimeError"),)
    assert "a secret" not in str(notes.lines)
