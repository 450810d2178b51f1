"""The scenarios: the failover table of docs/routing.md row by row, and what other wires make of it."""

from __future__ import annotations

from dataclasses import replace

from tests.failover.rows import FALLBACK
from tests.failover.scenarios_answers import ANSWERS
from tests.failover.scenarios_before import BEFORE
from tests.failover.scenarios_within import WITHIN
from tests.failover.wires import WIRE_SCENARIOS

SCENARIOS = [
    replace(scenario, b=scenario.b or (FALLBACK,)) for scenario in (*BEFORE, *WITHIN, *ANSWERS, *WIRE_SCENARIOS)
]
