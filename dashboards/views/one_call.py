"""One call: its facts, its attempts as a timeline, its meters and prices, its trace."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import polars as pl
import streamlit as st

from analytics import words
from analytics.calls import OneCall
from dashboards import charts, data, parts, tables, theme
from dashboards import definitions as means
from dashboards import format as say

Row = Mapping[str, Any]


def show(context: parts.Context, call_id: str) -> None:
    """The call's page. It refreshes by itself only until the call is over."""
    if st.button("All calls", icon=":material/arrow_back:", type="tertiary"):
        del st.query_params["call"]
        st.rerun()
    with parts.explaining():
        one = data.one_call(context, call_id)
        if one is None:
            st.warning(f"**There is no call `{call_id}`** in this ledger.", icon=":material/search_off:")
            st.caption("It may be older than the ledger keeps, or not yet have reached it: reload in a second.")
            return
        _whole(context, one)


def _whole(context: parts.Context, one: OneCall) -> None:
    _title(one.call)
    if told := one.fallback_message:
        st.info(told, icon=":material/alt_route:")
    _cards(one.call)
    st.subheader("Attempts", anchor=False)
    if one.attempts:
        frame = charts.attempt_rows(one.call, one.attempts)
        st.altair_chart(charts.attempts(frame), alt=_told(frame))
        st.caption(
            "A bar is an attempt, full colour if it answered; the white tick in it is its first token. "
            "Milliseconds count from the call's arrival."
        )
        st.dataframe(
            _attempts(one.attempts),
            hide_index=True,
            column_config=_ATTEMPTS,
            placeholder="",
            alt="Table of attempts",
        )
    else:
        st.caption(_untried(one.call))
    if skips := one.call["skips"]:
        st.caption("Passed over, without an attempt:")
        columns = {"provider": "Provider", "model": "Model", "reason": "Reason"}
        over = pl.DataFrame(skips).with_columns(tables.troubles("reason"))
        st.dataframe(over, hide_index=True, column_config=columns, alt="Targets passed over, and why")
    _costs(one)
    _facts(context, one.call)


def _title(call: Row) -> None:
    name = call["alias"] or f"{call['provider']} · {call['model']}"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title(f"{call['operation'].capitalize()} via {name}", anchor=False, width="content")
        st.badge(call["status"], color=theme.BADGES.get(call["status"], "gray"))
        if call.get("fallback_used"):
            st.badge(f"fallback: {words.trouble(call['fallback_reason'])}", color="orange")
    st.caption(f"{say.time(call['started_at'])} · call `{call['call_id']}`")


def _untried(call: Row) -> str:
    if call["status"] == "open":
        return "Still running: attempts are shown when the call is over."
    return "None: the call ended before anything was sent to a provider."


def _cards(call: Row) -> None:
    cost = say.money(call.get("cost_usd"), unpriced=call.get("priced") is False)
    figures = {
        "Duration": (say.duration(call.get("duration_ms")), means.DURATION),
        "First token": (say.duration(call.get("time_to_first_token_ms")), means.TIME_TO_FIRST),
        "Tokens in / out": (
            f"{say.count(call.get('input_tokens'))} / {say.count(call.get('output_tokens'))}",
            "Of all attempts. Input includes cached tokens, output includes reasoning.",
        ),
        "Cost": (cost, "US dollars of all attempts. Exact below."),
        "Overhead": (say.duration(_overhead_ms(call)), means.OVERHEAD),
    }
    with st.container(horizontal=True):
        for label, (value, meaning) in figures.items():
            st.metric(label, value, help=meaning, border=True, width="stretch")


def _overhead_ms(call: Row) -> float | None:
    overhead = call.get("overhead_us")
    return None if overhead is None else overhead / 1000


def _told(frame: pl.DataFrame) -> str:
    return "Timeline of attempts: " + "; ".join(f"{row['name']}: {row['label']}" for row in frame.to_dicts())


def _attempts(tried: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "number": each["number"],
                "target": f"{each['provider']} · {each['model']}",
                "status": each["status"],
                "error": words.trouble(each["error_type"]),
                "http": each["http_status"],
                "cost": say.exact(each["cost_usd"]) + (" (maybe billed)" if each["maybe_billed"] else ""),
                "took": say.duration(each["duration_ms"]),
                "first": say.duration(each["time_to_first_token_ms"]),
                "input": each["input_tokens"],
                "output": each["output_tokens"],
                "finish": ", ".join(each["finish_reasons"]),
                "circuit": each["circuit"],
                "provider_request": each["provider_request_id"],
            }
            for each in tried
        ],
        schema_overrides={"http": pl.Int64, "input": pl.Int64, "output": pl.Int64},
    )


_RIGHT = partial(st.column_config.TextColumn, alignment="right")
_ATTEMPTS: dict[str, Any] = {
    "number": st.column_config.NumberColumn("#", width=40),
    "target": "Provider · model",
    "status": "Status",
    "error": "Error",
    "http": st.column_config.NumberColumn("HTTP", format="plain", width=50),
    "cost": _RIGHT("Cost"),
    "took": _RIGHT("Duration"),
    "first": _RIGHT("First token"),
    "input": st.column_config.NumberColumn("In", format="localized"),
    "output": st.column_config.NumberColumn("Out", format="localized"),
    "finish": "Finish",
    "circuit": st.column_config.TextColumn("Circuit", help="The breaker's state when the attempt began."),
    "provider_request": st.column_config.TextColumn("Request id", help="The provider's own."),
}


def _costs(one: OneCall) -> None:
    st.subheader("Meters and prices", anchor=False, help=means.METER)
    if not one.costs:
        st.caption(_free(one.call))
        return
    rows = [
        {
            "attempt": line["attempt"],
            "target": f"{line['provider']} · {line['model']}",
            "meter": line["meter"].replace("_", " "),
            "quantity": line["quantity"],
            "price": say.exact(line["price_per_million_usd"]),
            "cost": say.exact(line["cost_usd"]),
            "source": f"{line['price_source']} {line['price_version']}".strip(),
        }
        for line in one.costs
    ]
    st.dataframe(pl.DataFrame(rows), hide_index=True, column_config=_COSTS, alt="Table of meters and prices")
    st.markdown(f"Together **{say.exact(one.call.get('cost_usd'))}**, usage {one.call.get('usage_source', '')}.")


def _free(call: Row) -> str:
    if call["status"] == "open":
        return "Known when the call is over."
    if not call["priced"]:
        return "No price is known for this model, so the cost is unknown, not zero: see `taximeter prices`."
    return "Nothing was used that costs anything."


_COSTS: dict[str, Any] = {
    "attempt": st.column_config.NumberColumn("#", width=40),
    "target": "Provider · model",
    "meter": st.column_config.TextColumn("Meter", help=means.METER),
    "quantity": st.column_config.NumberColumn("Quantity", format="localized"),
    "price": _RIGHT("Price for a million"),
    "cost": _RIGHT("Cost"),
    "source": "Price from",
}


def _facts(context: parts.Context, call: Row) -> None:
    st.subheader("Facts", anchor=False)
    if context.trace_url and call["trace_id"] and call["sampled"]:
        st.link_button(
            "Open the trace", context.trace_url.replace("{trace_id}", call["trace_id"]), icon=":material/account_tree:"
        )
    facts = {
        "Workspace": call["workspace"],
        "Caller": call["caller"],
        "Model reported": call.get("model_reported", ""),
        "Strategy": " ".join(part for part in (call["strategy"], call["preference"]) if part),
        "Streamed": "yes" if call["streamed"] else "no",
        "Ended": say.time(call.get("ended_at")),
        "Error": words.trouble(call.get("error_type", "")),
        "gRPC status": call.get("grpc_status", ""),
        "Maybe billed besides": say.exact(call["cost_at_risk_usd"]) if call.get("maybe_billed") else "",
        "Tags": ", ".join(f"{key}={value}" for key, value in call["tags"] or []),
        "Request id": call["request_id"],
        "Conversation id": call["conversation_id"],
        "Trace id": call["trace_id"],
        "Book entry": f"{call['sidecar_id']} · {call['seq']}",
    }
    known = {name: value for name, value in facts.items() if value and value != say.ABSENT}
    st.table(pl.DataFrame({"Fact": list(known), "Value": list(known.values())}))
