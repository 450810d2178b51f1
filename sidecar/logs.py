"""Logs: key-value lines on standard error, for people on a terminal, as JSON elsewhere. Set up once per process."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

_CHATTY = ("grpc", "asyncio")
"""Libraries whose debug lines, several a call, would bury ours."""


def configure(level: str, form: str) -> None:
    """`level`: debug, info, warning, error. `form`: json, console, or auto (console on a terminal).

    What libraries and we ourselves say through `logging` comes out in the same way.
    """
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: Any = structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
    ending = [] if console else [structlog.processors.format_exc_info]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending, last],
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(logging.INFO, logging.getLogger().level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
