"""A sidecar whose taximeter.toml tests write, before two providers of its own."""

from __future__ import annotations

from taximeter import Client
from taximeter.errors import TaximeterError
from taximeter.v1.config_pb2 import GetConfigStatusResponse
from tests.support.stack import Stack, until

SLOW = "tokens-40-25"
"""A stream of a second."""


class Reloading:
    """`one` and `two` are accounts at a provider each; alias `mine` leads to one of them."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.urls = {name: self._provider(name) for name in ("one", "two")}
        self.client = Client(stack.address, timeout=20)

    def write(self, chain: str, more: str = "") -> None:
        accounts = "".join(
            f'[providers.{name}]\ntype = "openai-compatible"\nbase_url = "{url}"\nsmart = "plain"\n'
            for name, url in self.urls.items()
        )
        (self.stack.cwd / "taximeter.toml").write_text(f"{accounts}[aliases.mine]\nchain = {chain}\n{more}")

    def served_by(self) -> str:
        return self.client.chat("hello", alias="mine").metering.provider

    def status(self) -> GetConfigStatusResponse:
        return self.client.config_status()

    def until_generation(self, number: int) -> None:
        def there() -> bool:
            try:
                return self.status().generation == number
            except TaximeterError:
                return False

        until(there, f"configuration {number} is in force")

    def _provider(self, name: str) -> str:
        ready = self.stack.folder / f"{name}.ready"
        self.stack.run(name, "tests.support.loopback", str(ready), str(self.stack.folder / f"{name}.seen"))
        until(lambda: ready.is_file() and ready.read_text().endswith("\n"), f"provider {name} is up")
        return ready.read_text().strip()
