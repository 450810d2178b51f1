"""Who looks: nobody asked (on loopback), a token of Taximeter's own, or an identity provider's word.

Whatever they show, the sidecar says whose it is and what they may see: it knows the tokens, and the claims.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

import streamlit as st

from dashboards import control, tabs
from dashboards.context import Viewer

NONE, TOKEN, OIDC = "none", "token", "oidc"
CHECKED_S = 60.0
"""A token that is revoked shows no more after this long."""
_KEY = "signed_in"
_WIDTH_PX = 460


@dataclass(frozen=True, slots=True)
class _SignedIn:
    """What a session remembers."""

    who: Viewer
    checked_s: float
    """On the monotonic clock."""
    ticket: str = ""
    """With which their tab finds back after a reload."""


def viewer(home: str, login: str) -> Viewer | None:
    """Who looks; None: what stands on the page now asks them to sign in, or says why they cannot."""
    if login == NONE:
        return Viewer()
    with st.container(width=_WIDTH_PX):
        try:
            return _by_provider(home) if login == OIDC else _by_token(home)
        except control.NoSidecar:
            _absent()
            return None


def told(who: Viewer, login: str) -> None:
    """In the sidebar: who is signed in, and the way out."""
    if login == NONE:
        return
    where = f"workspace {who.workspace}" if who.workspace is not None else "all workspaces"
    st.caption(f":material/person: {who.name} ({who.role}), {where}")
    st.button("Sign out", icon=":material/logout:", on_click=_leave, args=(login,), key="sign_out")
    if login == TOKEN:
        tabs.hold(st.session_state[_KEY].ticket)


def _by_token(home: str) -> Viewer | None:
    signed: _SignedIn | None = st.session_state.get(_KEY)
    if signed and (who := _still(home, signed)):
        return who
    if (back := _back()) and _still(home, back):
        st.rerun()
    _welcome("Sign in with a token of your workspace: `taximeter tokens create NAME --role viewer` makes one.")
    with st.form("sign_in", border=False):
        token = st.text_input("Token", type="password", autocomplete="current-password")
        asked = st.form_submit_button("Sign in", type="primary", icon=":material/login:")
    if not asked:
        return None
    if who := control.who_am_i(home, token):
        st.session_state[_KEY] = _SignedIn(who, time.monotonic(), tabs.tickets().give(who))
        st.rerun()
    st.error("**This token is not known here**, or it has expired or been revoked.", icon=":material/key_off:")
    return None


def _back() -> _SignedIn | None:
    """Who signed in here before the tab was loaded anew: still to be asked about."""
    ticket = tabs.held()
    who = tabs.tickets().holder(ticket)
    return _SignedIn(who, -math.inf, ticket) if who else None


def _by_provider(home: str) -> Viewer | None:
    """The identity provider signs a token for this dashboard; the sidecar reads workspace and role from its claims."""
    if not st.user.is_logged_in:
        _welcome("Your organisation's identity provider says who you are.")
        st.button("Sign in", type="primary", icon=":material/login:", on_click=st.login)
        return None
    token = str(st.user.tokens.get("id", ""))
    signed: _SignedIn | None = st.session_state.get(_KEY)
    if signed and signed.who.token == token and (who := _still(home, signed)):
        return who
    if who := control.who_am_i(home, token):
        st.session_state[_KEY] = _SignedIn(who, time.monotonic())
        return who
    _welcome("")
    st.error("**The sidecar does not take this sign-in**, or it has ended.", icon=":material/key_off:")
    st.caption("Sign in again. If it stays so, ask whoever runs Taximeter: its issuer and audience must be those of "
               "this dashboard, and your account needs a workspace.")  # fmt: skip
    st.button("Sign in again", type="primary", icon=":material/login:", on_click=_leave, args=(OIDC,))
    return None


def _still(home: str, signed: _SignedIn) -> Viewer | None:
    """Asked anew once in a while, and forgotten as soon as the sidecar does not know it any more."""
    now_s = time.monotonic()
    if now_s - signed.checked_s < CHECKED_S:
        return signed.who
    who = control.who_am_i(home, signed.who.token)
    if who:
        st.session_state[_KEY] = replace(signed, who=who, checked_s=now_s)
    else:
        st.session_state.pop(_KEY, None)
        tabs.tickets().take_back(signed.ticket)
    return who


def _leave(login: str) -> None:
    """Nothing of them stays in the session, nor the way back into it."""
    if signed := st.session_state.get(_KEY):
        tabs.tickets().take_back(signed.ticket)
    st.session_state.clear()
    if login == OIDC:
        st.logout()


def _welcome(words: str) -> None:
    st.title("Taximeter", anchor=False)
    if words:
        st.markdown(words)


def _absent() -> None:
    _welcome("")
    st.warning("**The sidecar does not answer**, and only it knows who may see what.", icon=":material/cloud_off:")
    st.caption("Start it with `taximeter sidecar` or `taximeter up`, in the same home as this dashboard.")
    st.button("Try again", icon=":material/refresh:")
