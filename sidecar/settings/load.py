"""All sources -> one `Loaded`, or all errors together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sidecar.core.aliases import obstacle
from sidecar.core.call import Strategy
from sidecar.core.catalog import Account, Alias, BreakerPolicy, Catalog, RetryPolicy
from sidecar.core.encryption import EncryptionSettings
from sidecar.settings import aws, file_providers, google, units
from sidecar.settings.accounts import build, check_models
from sidecar.settings.aliases import Chosen, build_aliases, choose
from sidecar.settings.drafts import Drafts, account_name
from sidecar.settings.file_rows import read_rows
from sidecar.settings.files import Stamps, stamps
from sidecar.settings.lookup import Lookup, file_key
from sidecar.settings.providers import read_variables, unknown_variables
from sidecar.settings.rows import Rows, known_rows
from sidecar.settings.sources import JSON, TOML, Origin, Problems, Sources, read_sources
from sidecar.settings.steps import Step, alias_tables, task_steps
from sidecar.settings.system import SPECS, Settings, read_settings
from sidecar.settings.tables import Table, read_file
from sidecar.settings.vault import OUTSIDE_VARIABLES, VAULT_VARIABLES, read_vault

CATALOG_VARIABLES = ("AI_ROTATION", "AI_RETRY_FAILED", "AI_MAX_RETRIES")
OUTSIDE = ("TAXIMETER_ADDRESS", "TAXIMETER_TOKEN", *OUTSIDE_VARIABLES)
"""The first two are read by the client and the command line, not here; none is for taximeter.toml."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The configuration of this process: settings, catalogue, where each value came from, and what is doubtful."""

    settings: Settings
    catalog: Catalog
    origins: Mapping[str, Origin] = field(repr=False)
    """ "listen", "rotation", "providers.openai.key", "aliases.text" -> its origin."""
    rotation: Strategy = Strategy.ROUND_ROBIN
    """Of the pools smart and fast."""
    warnings: tuple[str, ...] = ()
    encryption: EncryptionSettings = field(default_factory=EncryptionSettings)
    """For the vault."""
    files: Stamps = field(default_factory=dict, compare=False, repr=False)
    """What it was read from, or would be if it were there, as it was just before it was read."""


Check = Callable[[Settings, Problems], None]
"""Looks at what the settings name and this room does not read."""


def system_variables() -> list[str]:
    """Every variable that [system] of taximeter.toml can give too."""
    return [*(spec.variable for spec in SPECS.values()), *CATALOG_VARIABLES, *VAULT_VARIABLES]


def load(
    environ: Mapping[str, str],
    cwd: Path,
    wires: Collection[str],
    rows: Rows | None = None,
    check: Check = lambda _settings, _problems: None,
) -> Loaded:
    """Reads everything once. `wires`: the codec families that are built. Raises ConfigErrors, with `check`'s too."""
    problems = Problems()
    files = stamps((cwd / ".env", cwd / "taximeter.toml"))
    sources = read_sources(environ, cwd, problems)
    toml = _read_toml(cwd, problems)
    lookup = Lookup(sources, toml.table("system").raw, problems)
    settings = read_settings(lookup, cwd)
    encryption = read_vault(lookup, settings.home, cwd)
    files = {**files, **stamps(_named_files(settings, cwd))}
    check(settings, problems)
    document = _read_json(settings, cwd, problems)
    rows = {**(rows or known_rows()), **read_rows(settings.provider_types, problems)}
    drafts = _drafts(sources, toml, document, rows, problems)
    tasks, tables = task_steps(sources, problems), alias_tables(toml.table("aliases"))
    chosen = choose(tasks, tables, _json_text(document), drafts, problems)
    aws.fill(drafts, sources)
    google.fill(drafts, sources)
    check_models(drafts, problems)
    accounts = {draft.name: build(draft, wires, problems) for draft in drafts}
    rotation = lookup.read("rotation", "AI_ROTATION", units.member(Strategy)) or Strategy.ROUND_ROBIN
    aliases = build_aliases(chosen, tables, rotation, drafts, accounts)
    retry = _retry(lookup, document.table("manager"))
    problems.raise_errors(files)
    _list_unusable(tasks, drafts, aliases, accounts, problems)
    catalog = Catalog(
        accounts=accounts,
        aliases=aliases,
        retry=retry,
        breaker=_breaker(settings),
        time_scale=settings.time_scale,
        default_deadline_s=settings.default_deadline_s,
        tag_keys=frozenset(settings.tag_keys),
        max_answer_bytes=settings.max_answer_bytes,
    )
    origins = lookup.origins | _origins(drafts, chosen)
    return Loaded(settings, catalog, origins, rotation, tuple(dict.fromkeys(problems.warnings)), encryption, files)


def _named_files(settings: Settings, cwd: Path) -> list[Path]:
    named = (_json_path(settings, cwd), *settings.provider_types, settings.prices_file)
    return [path for path in named if path is not None]


def _read_toml(cwd: Path, problems: Problems) -> Table:
    toml = read_file(cwd / "taximeter.toml", TOML, problems)
    toml.check(("system", "providers", "aliases"))
    toml.table("system").check([file_key(name) for name in system_variables()])
    return toml


def _read_json(settings: Settings, cwd: Path, problems: Problems) -> Table:
    path = _json_path(settings, cwd)
    document = read_file(path, JSON, problems, required=settings.providers_file is not None)
    document.check(("providers", "manager"))
    document.table("manager").check(("fallback_enabled", "load_balancing"))
    return document


def _json_path(settings: Settings, cwd: Path) -> Path:
    return settings.providers_file or cwd / "providers.json"


def _drafts(sources: Sources, toml: Table, document: Table, rows: Rows, problems: Problems) -> Drafts:
    """Every account that any source speaks of, then every other one that is known."""
    in_files = [
        *file_providers.from_toml(toml.table("providers"), rows),
        *file_providers.from_json(document, rows),
    ]
    drafts = Drafts(
        rows,
        types={provider.name: provider.type for provider in reversed(in_files)},
        key_variables={p.name: p.key_variable for p in reversed(in_files) if p.key_variable},
    )
    strangers = read_variables(sources, drafts, problems)
    file_providers.merge(in_files, drafts, sources)
    for name in rows:
        drafts.draft(name)
    known = [*system_variables(), *OUTSIDE, *drafts.key_variables.values()]
    unknown_variables(sources, strangers, drafts, known, problems)
    return drafts


def _json_text(document: Table) -> tuple[Sequence[str], Strategy]:
    """The accounts of `providers.json` in its order, and how `text` chooses among them."""
    names = [table.raw.get("name") or table.raw.get("type") for table in document.tables("providers")]
    balanced = document.table("manager").read("load_balancing", units.boolean)
    strategy = Strategy.ROUND_ROBIN if balanced else Strategy.FAILOVER
    return [account_name(name) for name in names if isinstance(name, str)], strategy


def _retry(lookup: Lookup, manager: Table) -> RetryPolicy:
    """AI_RETRY_FAILED, else `fallback_enabled` of providers.json; AI_MAX_RETRIES."""
    default = RetryPolicy()
    fallback = manager.read("fallback_enabled", units.boolean)
    goes_on = lookup.read("retry_failed", "AI_RETRY_FAILED", units.boolean)
    if goes_on is None and fallback is not None:
        goes_on = fallback
        lookup.origins["retry_failed"] = manager.at("fallback_enabled")
    retries = lookup.read("max_retries", "AI_MAX_RETRIES", units.integer(0, 100))
    return RetryPolicy(
        max_retries=default.max_retries if retries is None else retries,
        retry_failed=default.retry_failed if goes_on is None else goes_on,
    )


def _breaker(settings: Settings) -> BreakerPolicy:
    return BreakerPolicy(
        consecutive_failures=settings.breaker_failures,
        failure_ratio=settings.breaker_ratio,
        min_calls=settings.breaker_min_calls,
        window_s=settings.breaker_window_s,
        first_probe_s=settings.breaker_first_probe_s,
        max_probe_s=settings.breaker_max_probe_s,
    )


def _list_unusable(
    tasks: Mapping[str, Sequence[Step]],
    drafts: Drafts,
    aliases: Mapping[str, Alias],
    accounts: Mapping[str, Account],
    problems: Problems,
) -> None:
    """Warns of every provider that is configured, or named by a task, and cannot serve."""
    for draft in drafts:
        if draft.values and (why := accounts[draft.name].unusable):
            problems.warn(next(iter(draft.values.values())).origin, f"provider {draft.name} cannot be used: {why}")
    for task, steps in tasks.items():
        for step in steps:
            for draft in drafts.named(step.provider):
                if reason := obstacle(accounts[draft.name], aliases[task].operation):
                    problems.warn(step.origin, f"{step.provider} cannot be used: {reason}")


def _origins(drafts: Drafts, chosen: Chosen) -> dict[str, Origin]:
    fields = {
        f"providers.{draft.name}.{name}": value.origin for draft in drafts for name, value in draft.values.items()
    }
    return fields | {f"aliases.{name}": origin for name, origin in chosen.origins.items()}
