"""The columns of a FOCUS file: how each comes out of a charge, for the query and for the docs.

FinOps Open Cost and Usage Specification, https://focus.finops.org: 1.2's columns by name, then our own, which begin
with x_. Version 1.4 has two more that 1.3 brought in; what it took away (ProviderName, PublisherName) stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import polars as pl
import pyarrow as pa

from analytics.layouts import SECONDS, Layout

TEXT = pa.string()
DECIMAL = pa.decimal128(38, 18)
"""Of money and quantities: twelve decimals of the price, six of the millions."""
MILLION = 1_000_000


class Version(StrEnum):
    V1_2 = "1.2"
    V1_4 = "1.4"


@dataclass(frozen=True, slots=True)
class Column:
    """`expression`: over a charge and what `analytics.focus` adds to it. `filled`: how, in words, for the docs."""

    name: str
    type: pa.DataType
    expression: str
    filled: str
    since: Version = Version.V1_2


@dataclass(frozen=True, slots=True)
class Meter:
    """How FOCUS names a meter of ours, and in what it is counted: `per` of our units are one `unit`, and are consumed;
    `priced` units of that are the unit of the price."""

    name: str
    unit: str
    per: int = 1
    priced: int = 1

    @property
    def pricing_unit(self) -> str:
        return self.unit if self.priced == 1 else f"{self.priced} {self.unit}"


def _tokens(name: str) -> Meter:
    return Meter(f"{name} Tokens", "Tokens", priced=MILLION)


METERS: Mapping[str, Meter] = {
    "input": _tokens("Input"),
    "cache_read": _tokens("Cache Read Input"),
    "cache_write": _tokens("Cache Write Input"),
    "cache_write_1h": _tokens("Cache Write Input"),
    "audio_input": _tokens("Audio Input"),
    "output": _tokens("Output"),
    "reasoning": _tokens("Reasoning Output"),
    "audio_output": _tokens("Audio Output"),
    "characters": Meter("Characters", "Characters", priced=MILLION),
    "images": Meter("Images", "Images"),
    "requests": Meter("Requests", "Requests"),
    "milliseconds": Meter("Seconds", "Seconds", per=1000),
    "provider_cost": Meter("Provider-Billed Cost", "USD", per=10**12),
}
"""By the ledger's name; `provider_cost` counts picodollars, at a price of 1."""


@dataclass(frozen=True, slots=True)
class Seller:
    """Who sells what a provider type stands for: the service, and the company that bills it."""

    service: str
    company: str


SELF_HOSTED = "Self-hosted"
SELLERS: Mapping[str, Seller] = {
    "openai": Seller("OpenAI", "OpenAI"),
    "anthropic": Seller("Anthropic", "Anthropic"),
    "gemini": Seller("Google Gemini", "Google"),
    "vertexai": Seller("Google Vertex AI", "Google"),
    "mistral": Seller("Mistral AI", "Mistral AI"),
    "groq": Seller("Groq", "Groq"),
    "zhipu": Seller("Zhipu (Z.ai)", "Zhipu AI"),
    "openrouter": Seller("OpenRouter", "OpenRouter"),
    "replicate": Seller("Replicate", "Replicate"),
    "azure": Seller("Azure OpenAI", "Microsoft"),
    "bedrock": Seller("AWS Bedrock", "AWS"),
    "together": Seller("Together AI", "Together AI"),
    "deepseek": Seller("DeepSeek", "DeepSeek"),
    "xai": Seller("xAI", "xAI"),
    "perplexity": Seller("Perplexity", "Perplexity"),
    "huggingface": Seller("Hugging Face", "Hugging Face"),
    "cerebras": Seller("Cerebras", "Cerebras"),
    "moonshot": Seller("Moonshot AI", "Moonshot AI"),
    "fireworks": Seller("Fireworks AI", "Fireworks AI"),
    "alibaba": Seller("Alibaba Cloud Model Studio", "Alibaba Cloud"),
    "cohere": Seller("Cohere", "Cohere"),
    "ollama": Seller("Ollama", SELF_HOSTED),
    "vllm": Seller("vLLM", SELF_HOSTED),
    "llamacpp": Seller("llama.cpp server", SELF_HOSTED),
    "lmstudio": Seller("LM Studio", SELF_HOSTED),
    "local": Seller("Embedded model", SELF_HOSTED),
}
"""By provider type. Another one, as any OpenAI-compatible server, is called by its account's name."""

_COST = "if(rounding, rest, product)"
_PRICE = "if(rounding, 1, unit_price)"
_COST_FILLED = "`PricingQuantity` by `ListUnitPrice`, exactly"
_PRICE_FILLED = "what one `PricingUnit` cost: the price that the call was metered by"
_ACCOUNT = "if(key_owner = 'workspace', workspace || '/' || provider, provider)"
_ACCOUNT_NAME = "if(key_owner = 'workspace', provider || ' (' || workspace || ')', provider)"
_SKU = "provider_type || '/' || model || '/' || if(rounding, 'rounding', meter)"
_PRICE_TEXT = "rtrim(rtrim(CAST(unit_price AS VARCHAR), '0'), '.')"
_DESCRIPTION = f"""model || ': ' || CASE
  WHEN rounding THEN 'what rounding each call to the picodollar came to, for ' || meter_name
  WHEN meter = 'provider_cost' THEN 'as the provider billed it'
  ELSE meter_name || ' at ' || {_PRICE_TEXT} || ' USD per ' || pricing_unit
END || if(usage_source = 'estimated', ', estimated', '')"""
_START_OF, _END_OF = "CAST({} AS TIMESTAMP)", "CAST({} AS TIMESTAMP) + INTERVAL 1 {}"

COLUMNS: tuple[Column, ...] = (
    Column("BilledCost", DECIMAL, _COST, f"{_COST_FILLED}; no discount is known, so all four costs are the same"),
    Column("BillingAccountId", TEXT, _ACCOUNT,
           "the provider account; of a workspace's own keys `workspace/account`, since others pay for it"),
    Column("BillingAccountName", TEXT, _ACCOUNT_NAME, "the same in words: `account`, `account (workspace)`"),
    Column("BillingCurrency", TEXT, "'USD'", "`USD`"),
    Column("BillingPeriodEnd", SECONDS, _END_OF.format("month", "MONTH"), "the first moment of the next month"),
    Column("BillingPeriodStart", SECONDS, _START_OF.format("month"), "the first moment of the month, UTC"),
    Column("ChargeCategory", TEXT, "'Usage'", "`Usage`"),
    Column("ChargeClass", TEXT, "if(day < month, 'Correction', NULL)",
           "`Correction` of a period that was closed before, else null"),
    Column("ChargeDescription", TEXT, _DESCRIPTION, "model, meter and price in words; `estimated` where the usage is"),
    Column("ChargeFrequency", TEXT, "'Usage-Based'", "`Usage-Based`"),
    Column("ChargePeriodEnd", SECONDS, _END_OF.format("day", "DAY"), "the first moment of the next day"),
    Column("ChargePeriodStart", SECONDS, _START_OF.format("day"), "the first moment of the day of the calls, UTC"),
    Column("ConsumedQuantity", DECIMAL, "if(rounding, rest, consumed)", "how much was used, in `ConsumedUnit`"),
    Column("ConsumedUnit", TEXT, "if(rounding, 'USD', unit)",
           "`Tokens`, `Characters`, `Images`, `Requests`, `Seconds`; `USD` of money"),
    Column("ContractedCost", DECIMAL, _COST, "as `ListCost`"),
    Column("ContractedUnitPrice", DECIMAL, _PRICE, "as `ListUnitPrice`"),
    Column("EffectiveCost", DECIMAL, _COST, "as `ListCost`"),
    Column("HostProviderName", TEXT, "company", "as `ProviderName`: what stands behind it is not known", Version.V1_4),
    Column("InvoiceId", TEXT, "CAST(NULL AS VARCHAR)", "null: no invoice is known"),
    Column("InvoiceIssuerName", TEXT, "company", "as `ProviderName`: it sends the bill"),
    Column("ListCost", DECIMAL, _COST, _COST_FILLED),
    Column("ListUnitPrice", DECIMAL, _PRICE, f"{_PRICE_FILLED}; a price that you set stands here too"),
    Column("PricingQuantity", DECIMAL, "if(rounding, rest, priced)", "how much was used, in `PricingUnit`"),
    Column("PricingUnit", TEXT, "if(rounding, 'USD', pricing_unit)",
           "`1000000 Tokens`, `1000000 Characters`, `Images`, `Requests`, `Seconds`, `USD`"),
    Column("ProviderName", TEXT, "company", "the company; `Self-hosted`; else the account's name"),
    Column("PublisherName", TEXT, "company", "as `ProviderName`"),
    Column("ServiceCategory", TEXT, "'AI and Machine Learning'", "`AI and Machine Learning`"),
    Column("ServiceName", TEXT, "service", "the provider's display name, as `taximeter providers` has it"),
    Column("ServiceProviderName", TEXT, "company", "as `ProviderName`", Version.V1_4),
    Column("ServiceSubcategory", TEXT, "'Generative AI'", "`Generative AI`"),
    Column("SkuId", TEXT, _SKU, "`type/model/meter`, whatever it cost"),
    Column("SkuMeter", TEXT, "if(rounding, 'Rounding', meter_name)", "the meter, see below"),
    Column("SkuPriceDetails", TEXT, "CAST(json_object('x_Model', model) AS VARCHAR)", "the model: `{\"x_Model\": …}`"),
    Column("SkuPriceId", TEXT, f"{_SKU} || '@' || if(rounding, '1', {_PRICE_TEXT})", "`SkuId@price`"),
    Column("SubAccountId", TEXT, "workspace", "the workspace"),
    Column("SubAccountName", TEXT, "workspace", "the workspace"),
    Column("Tags", TEXT, "CAST(to_json(tags) AS VARCHAR)", "the call's tags as one JSON object, by the order of keys"),
    Column("x_KeyOwner", TEXT, "key_owner", "whose key it was: `platform`, `workspace`"),
    Column("x_Meter", TEXT, "meter", "the ledger's own name of the meter"),
    Column("x_Model", TEXT, "model", "the model that was asked for"),
    Column("x_PriceSource", TEXT, "price_source", "`genai-prices`, `override`, `provider`, `declared`"),
    Column("x_PriceVersion", TEXT, "price_version", "of the price's source"),
    Column("x_ProviderAccount", TEXT, "provider", "the provider account"),
    Column("x_ProviderType", TEXT, "provider_type", "its type"),
    Column("x_UsageSource", TEXT, "usage_source", "`reported`, `estimated`"),
)  # fmt: skip


def columns(version: Version) -> tuple[Column, ...]:
    """Of a file of that version, in order."""
    return tuple(each for each in COLUMNS if each.since <= version)


def layout(version: Version) -> Layout:
    return Layout(
        f"FOCUS {version} rows",
        {each.name: each.type for each in columns(version)},
        sums=("BilledCost",),
        counts={
            "corrections": pl.col("ChargeClass").is_not_null(),
            "roundings": pl.col("SkuMeter") == "Rounding",
            "estimated": pl.col("x_UsageSource") == "estimated",
        },
        json=frozenset({"SkuPriceDetails", "Tags"}),
    )
