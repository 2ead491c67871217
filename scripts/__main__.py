"""``python -m scripts <command>``: what the Makefile's targets run.

A command is a function that takes the words of its line. Its module is imported only when it is
called: some commands run in a bare Python, or in an environment of their own.
"""

import sys
from types import MappingProxyType

from scripts.common.running import run

COMMANDS = MappingProxyType(
    {
        "help": "scripts.documents.help:show",
        "check": "scripts.lifecycle.variables:check",
        "weights": "scripts.weights.fetch:weights",
        "archive": "scripts.archive.build:archive",
        "calibrate": "scripts.export.calibrate:calibrate",
        "verify": "scripts.archive.verify:verify",
        **{
            name: f"scripts.lifecycle.commands:{name}"
            for name in (
                *("serve", "register", "unregister", "scale", "rollout"),
                *("status", "logs", "ready", "token", "stop"),
            )
        },
        "cutout": "scripts.lifecycle.cutout:cutout",
        "gateway": "scripts.gateway.commands:gateway",
        "gateway-run": "scripts.gateway.commands:gateway_run",
        "gateway-machine": "scripts.gateway.commands:gateway_machine",
        "gateway-url": "scripts.gateway.commands:gateway_url",
        "gateway-key": "scripts.gateway.commands:gateway_key",
        "gateway-stop": "scripts.gateway.commands:gateway_stop",
        "contract": "scripts.documents.contract:contract",
        "depths": "scripts.documents.depths.command:depths",
        "follow-docs": "scripts.documents.follow:follow_docs",
        "lock": "scripts.release.lock:lock",
        "sbom": "scripts.release.sbom:sbom",
        "prune": "scripts.release.prune:prune",
        "image-test": "scripts.measure.image.run:image_test",
        "bench": "scripts.measure.bench.run:bench",
        "bench-gpu": "scripts.measure.gpu.run:bench_gpu",
        "client-overhead": "scripts.measure.bench.client_overhead:client_overhead",
        "edges-foreground": "scripts.measure.edges.foreground:edges_foreground",
        "edges-refinement": "scripts.measure.edges.refinement:edges_refinement",
        "gallery": "scripts.measure.edges.gallery:gallery",
        "soak": "scripts.measure.soak.run:soak",
        "overload": "scripts.measure.soak.overload:overload",
        "kill-workers": "scripts.measure.faults.kill_workers:kill_workers_command",
        "stop-under-load": "scripts.measure.faults.stop_under_load:stop_under_load",
        "mutants": "scripts.measure.mutants.run:mutants",
        "scale-out": "scripts.measure.scale_out.run:scale_out",
    }
)


if __name__ == "__main__":
    run("python -m scripts", COMMANDS, sys.argv[1:])
