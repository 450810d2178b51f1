"""Places of a chain as people write them -> routes. A step names a provider, and a model or the provider's default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sidecar.core.aliases import ALIAS_NAME, ALIAS_NAME_RULE
from sidecar.core.call import Preference, Strategy, StreamRecovery, Target, Timeouts
from sidecar.core.catalog import Route
from sidecar.settings import units
from sidecar.settings.drafts import Drafts
from sidecar.settings.nearest import did_you_mean
from sidecar.settings.providers import TASKS, task_variables
from sidecar.settings.sources import Origin, Problems, Sources, Value
from sidecar.settings.tables import Table
from sidecar.settings.timeouts import read_timeouts

_STEP_KEYS = ("provider", "model", "weight", "priority", "timeouts")
_ALIAS_KEYS = ("chain", "strategy", "preference", "stream_recovery", "allow_aggregators", "timeouts")


@dataclass(frozen=True, slots=True)
class Step:
    """One place of a chain, as written."""

    provider: str
    model: str
    origin: Origin
    model_origin: Origin
    """What to set if the provider has no default model."""
    weight: int = 1
    priority: int | None = None
    timeouts: Timeouts = Timeouts()


@dataclass(frozen=True, slots=True)
class AliasTable:
    """[aliases.<name>] of taximeter.toml; None and empty: not said."""

    origin: Origin
    steps: Sequence[Step] = ()
    strategy: Strategy | None = None
    preference: Preference | None = None
    stream_recovery: StreamRecovery | None = None
    allow_aggregators: bool | None = None
    timeouts: Timeouts = Timeouts()


def task_steps(sources: Sources, problems: Problems) -> dict[str, list[Step]]:
    """AI_<TASK>_{PROVIDER,MODEL,FALLBACK_PROVIDER,FALLBACK_MODEL}, of the tasks for which any of them is set."""
    found = {}
    for task in TASKS:
        names = task_variables(task)
        given = {name: value for name, variable in names.items() if (value := sources.get(variable))}
        if not given:
            continue
        if "PROVIDER" not in given:
            origin = next(iter(given.values())).origin
            problems.error(origin, f"needs {names['PROVIDER']} beside it")
            continue
        steps = [_task_step(names, given, "")]
        if "FALLBACK_PROVIDER" in given or "FALLBACK_MODEL" in given:
            steps.append(_task_step(names, given, "FALLBACK_"))
        found[task] = steps
    return found


def _task_step(names: Mapping[str, str], given: Mapping[str, Value], prefix: str) -> Step:
    provider = given.get(f"{prefix}PROVIDER", given["PROVIDER"])
    model = given.get(f"{prefix}MODEL")
    model_origin = model.origin if model else Origin(provider.origin.place, names[f"{prefix}MODEL"])
    return Step(provider.text, model.text if model else "", provider.origin, model_origin)


def alias_tables(aliases: Table) -> dict[str, AliasTable]:
    """[aliases.<name>]."""
    found = {}
    for name, table in aliases.named_tables():
        if not ALIAS_NAME.fullmatch(name):
            table.problems.error(table.origin, ALIAS_NAME_RULE)
        found[name] = _alias_table(table)
    return found


def _alias_table(table: Table) -> AliasTable:
    table.check(_ALIAS_KEYS)
    if "chain" in table.raw and not table.raw["chain"]:
        table.problems.error(table.at("chain"), "is empty")
    return AliasTable(
        origin=table.origin,
        steps=[step for value in table.list("chain") if (step := _file_step(table, value))],
        strategy=table.read("strategy", units.member(Strategy)),
        preference=table.read("preference", units.member(Preference)),
        stream_recovery=table.read("stream_recovery", units.member(StreamRecovery)),
        allow_aggregators=table.read("allow_aggregators", units.boolean),
        timeouts=read_timeouts(table.table("timeouts")),
    )


def _file_step(table: Table, value: Value) -> Step | None:
    """ "openai/gpt-4.1", "openai", or {provider, model, weight, priority, timeouts}."""
    if isinstance(value.raw, str):
        provider, _, model = value.raw.strip().partition("/")
        return Step(provider, model, value.origin, value.origin)
    place = table.as_table(value)
    place.check(_STEP_KEYS)
    provider = place.read("provider", units.string) or ""
    if place and not provider:
        table.problems.error(place.at("provider"), "is missing")
    if not provider:
        return None
    weight = place.read("weight", units.integer(0, 1_000_000))
    return Step(
        provider=provider,
        model=place.read("model", units.string) or "",
        origin=place.at("provider"),
        model_origin=place.at("model"),
        weight=1 if weight is None else weight,
        priority=place.read("priority", units.integer(0, 1_000_000)),
        timeouts=read_timeouts(place.table("timeouts")),
    )


def routes_of(steps: Sequence[Step], slot: str, drafts: Drafts, problems: Problems) -> tuple[Route, ...]:
    """The steps as routes; each draft met is marked as asked for. An unknown provider, or no model, is an error."""
    routes: dict[Target, Route] = {}
    for step in steps:
        named = drafts.named(step.provider)
        if not named:
            guess = did_you_mean(step.provider.lower(), drafts.names())
            problems.error(step.origin, f"no provider is named {units.shown(step.provider)}{guess}")
        for draft in named:
            draft.asked_for = True
            model = step.model or (draft.model(slot) if draft.offers(slot) else "")
            if not model and draft.offers(slot):
                problems.error(step.model_origin, f"is not set, and {draft.name} has no default model")
            target = Target(draft.name, model)
            routes.setdefault(target, Route(target, step.weight, step.priority, step.timeouts))
    return tuple(routes.values())
