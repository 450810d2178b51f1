"""What the running sidecar says, on a page: who may ask it, and what is shown where it does not answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

import streamlit as st

from dashboards import control, data
from dashboards.context import Context

Answer = TypeVar("Answer")
More = ParamSpec("More")

DEFAULT_WORKSPACE = "default"
"""The operator's own."""


def told(
    context: Context, fn: Callable[Concatenate[str, str, More], Answer], *args: More.args, **more: More.kwargs
) -> Answer | None:
    """What `fn` of control.py answers; None where there is no answer, and why stands on the page."""
    answer, why = heard(context, fn, *args, **more)
    if why == _NOBODY:
        st.info(f"**No sidecar is running here.** {why}", icon=":material/power_off:")
        st.code("taximeter up", language="shell")
    elif why:
        st.warning(f"**The sidecar does not tell this.** {why}", icon=":material/lock:")
    return answer


def heard(
    context: Context, fn: Callable[Concatenate[str, str, More], Answer], *args: More.args, **more: More.kwargs
) -> tuple[Answer | None, str]:
    """The same, without a word on the page: the answer, or why there is none."""
    try:
        return data.ask_sidecar(context, fn, *args, **more), ""
    except control.NoSidecar:
        return None, _NOBODY
    except control.NotAllowed as refused:
        return None, str(refused)


_NOBODY = "It is asked for this while it runs; what was recorded is on the other pages. Start it:"


def sees_operators(context: Context) -> bool:
    """Whether what concerns the operator's own providers may be asked for this viewer.

    With a token the sidecar decides what they see. Without one it would answer as to the operator."""
    return context.who.workspace is None or bool(context.who.token)


def workspace(context: Context) -> str:
    """The workspace that a page is about: the viewer's; who sees all of them chooses."""
    if context.who.workspace is not None:
        return context.who.workspace
    there, _ = heard(context, control.workspaces)
    options = sorted({DEFAULT_WORKSPACE, *(there or ()), *st.query_params.get_all("of")})
    if len(options) == 1:
        return DEFAULT_WORKSPACE
    chosen = st.selectbox(
        "Workspace", options, index=options.index(DEFAULT_WORKSPACE), key="of", bind="query-params", width=230,
        help="Keys and aliases are each workspace's own.",
    )  # fmt: skip
    return chosen or DEFAULT_WORKSPACE
