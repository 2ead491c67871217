# All generated files go to $(BUILD) and $(VENV). `make help` lists targets and variables.
#
# `python -m scripts` reads variables from make's command line or the environment, and has their defaults.
# Here are only the variables that make itself needs.

BUILD    ?= build
PYTHON   ?= python3
# More arguments for pip: --extra-index-url of a CPU-only torch, a mirror, or a folder of wheels.
PIP_ARGS ?=
# Set: install only files whose SHA-256 is in requirements.lock and model_requirements.lock.
HASHES   ?=
# Where a registration gets the archive's requirements; set it on a host without a registry.
WHEELS   ?= $(BUILD)/wheels
# More arguments for pytest, pip-audit, bench-gpu; the documents to follow.
TESTS     ?=
AUDIT     ?=
BENCH_GPU ?=
DOCS      ?=

VENV     := .venv
BIN      := $(VENV)/bin
CLI      := $(BIN)/python -m scripts
SERVING  := $(VENV)/.serving$(if $(HASHES),-hashed)
TESTING  := $(VENV)/.testing
PEERS     = $(BUILD)/bench/venv/.ready
AUDITORS  = $(BUILD)/audit/venv/.ready
# pip shows its progress in a terminal only.
QUIET    := $(if $(MAKE_TERMOUT),,--quiet)
PIP       = $(BIN)/python -m pip install $(QUIET) -c constraints.txt $(PIP_ARGS)
# OpenVINO requires this package but works without it. It sends an event at every import.
NO_TELEMETRY = $(BIN)/python -m pip uninstall --quiet --yes openvino-telemetry
# A long step of a set-up: `$(BEGIN) what ...`, its commands, then the time that it took and the size
# of the folder that it filled.
BEGIN = began=$$(date +%s) && echo
END   = echo "  done in $$(($$(date +%s) - began)) s: $$(du -sh $(1) | cut -f1) in $(1)"
# Before the environment is there, the checks run without it.
IS_NEW_ENOUGH = -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
ANY_PYTHON = $(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON))

ifneq ($(words $(BUILD)),1)
$(error BUILD must be one path without spaces, not "$(BUILD)")
endif

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# All targets except files, whose names have a folder.
.PHONY: $(shell sed -n 's/^\([a-z0-9-]*\):.*/\1/p' $(firstword $(MAKEFILE_LIST)))

help:
	@$(PYTHON) -m scripts help

##@ Serve

serve: checked archive $(WHEELS)  ## Start the server with MODEL; the first time, install and build all it needs
status: installed  ## Show the server, its models and workers; JSON=1 for programs
cutout: installed  ## Remove the background of IMAGE, a picture or a folder, into OUTPUT
token: installed  ## Print a token for requests; KIND=management for the Management API
logs: installed  ## Follow the server's logs
stop: installed  ## Stop the server after the accepted requests; NOW=1 stops it at once

##@ Models

register: checked running archive  ## Add MODEL to the running server
rollout: checked running archive  ## Replace the served version of MODEL by VERSION without a failed request
scale: installed  ## Set the number of WORKERS of MODEL
unregister: installed  ## Remove MODEL, or only VERSION of it, from the running server

##@ Build

install: $(TESTING)  ## Install the development environment into .venv
weights: checked $(SERVING)  ## Download and convert the weights of MODEL, or convert CHECKPOINT
archive: checked $(SERVING)  ## Build the archive of MODEL: build/model-store/MODEL.mar
verify: installed  ## Compare the weights and archive of MODEL with their records

clean:  ## Remove generated files; keep .venv, the gateway's keys and other files of yours
	@for each in $(BUILD)/gateway*/nginx.pid; do [ ! -e "$$each" ] || \
		! grep -qs nginx "/proc/$$(cat "$$each")/cmdline" || \
		{ echo "a gateway runs: make gateway-stop" >&2; exit 1; }; done
	@for each in $(BUILD)/servers/*/tmp/.model_server.pid; do \
		! grep -Faqs "$${each%/tmp/*}/config.properties" "/proc/$$(cat "$$each" 2>/dev/null)/cmdline" || \
		{ echo "a server runs, $${each%/tmp/*}: make stop" >&2; exit 1; }; done
	rm -rf $(addprefix $(BUILD)/,servers model-store weights wheels networks photos test bench soak \
		overload torture audit sbom.json)

##@ Gateway

gateway: installed  ## Start the gateway (nginx): the web page, remove.bg's API, keys, rate limits
gateway-url: installed  ## Print the gateway's address
gateway-key: installed  ## Print the API key of client NAME; create it if there is none
gateway-stop: installed  ## Stop the gateway after the requests in progress
gateway-machine: installed  ## Accept gateways of other machines: LISTEN=address:port, ALLOW=their addresses

##@ Develop

test: $(TESTING) $(BUILD)/wheels  ## Run all tests, also against a real TorchServe
	@for model in u2net u2netp; do \
		CHECKPOINT= $(CLI) weights --build $(BUILD)/test --model $$model || exit 1; done
	@# Three test processes for two cores: they wait for servers half of the time, which plan their own
	@# threads.
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive $(BIN)/python -m pytest -n 3 --dist loadfile $(TESTS)

lint: $(TESTING)  ## Check style, types and imports; change nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/lint-imports --no-cache

format: $(TESTING)  ## Apply the fixes that ruff can make
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

contract: $(SERVING)  ## Write the table of options into docs/options.md and docs/openapi.json

depths: $(SERVING)  ## Write the table of TIFF and PNG kinds into docs/picture-depths.md

follow-docs:  ## Run the commands of the documents, or of DOCS, in a copy; FRESH=1 installs it anew
	@$(PYTHON) -m scripts follow-docs $(DOCS)

torture: running $(TESTING)  ## Send hostile input to the decoder and to the running server's MODEL
	@$(BIN)/python -m tests.hostile decoder
	@$(BIN)/python -m tests.hostile server

fuzz: $(TESTING)  ## Fuzz requests and pictures for SECONDS, guided by coverage
	$(PIP) -e '.[torture]'
	@$(BIN)/python -m tests.hostile fuzz

mutants: $(TESTING)  ## Put SAMPLE faults into MODULES, one at a time; list those that the unit tests miss
	$(PIP) -e '.[mutants]'
	@OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive $(CLI) mutants

##@ Measure

bench: $(TESTING) $(PEERS) $(WHEELS)  ## Measure against rembg, LitServe and .tolist(); write BENCHMARKS.md
	@for model in u2net u2netp; do CHECKPOINT= $(CLI) weights --model $$model || exit 1; done
	@$(CLI) bench

bench-gpu: weights  ## Measure a GPU's pictures a second by batch size, against its own peak
	@$(CLI) bench-gpu $(BENCH_GPU)

edges: $(TESTING) weights  ## Measure error and time of edges=matte and edges=refined against pymatting
	$(PIP) -e '.[edges]'
	@$(CLI) edges-foreground
	@$(CLI) edges-refinement

soak: $(TESTING) u2net $(WHEELS)  ## Start a server; send every kind of request for MINUTES (10) or HOURS
overload: $(TESTING) u2net $(WHEELS)  ## Start a server; offer four times its peak rate
kill-workers: running  ## Kill workers of the running server under load, for DURATION seconds
stop-under-load: running  ## Stop the running server under load and count lost requests; also with NOW=1
scale-out: $(TESTING) archive $(WHEELS)  ## Compare n workers on one machine with n machines of one worker; needs root

##@ Release

image-test: $(SERVING)  ## Build the image of MODEL; run it and the Deployment, stop both under load; needs podman
lock: $(SERVING)  ## Pin the server's environment by SHA-256, for this kind of machine, in *.lock

# --strict: a package that could not be looked up counts as a finding.
audit: $(AUDITORS)  ## Check the pinned packages for known vulnerabilities; AUDIT="-s osv" asks OSV
	@$(<D)/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner off \
		-r requirements.lock -r model_requirements.lock $(AUDIT) \
		|| { echo "make audit failed, see above: a package is vulnerable, or could not be looked up" >&2; exit 1; }

sbom: $(SERVING) $(AUDITORS) archive  ## Write the server's bill of materials to build/sbom.json (CycloneDX)
	@$(BUILD)/audit/venv/bin/cyclonedx-py environment --output-reproducible --pyproject pyproject.toml \
		-o $(BUILD)/audit/environment.json $(BIN)/python
	@$(BUILD)/audit/venv/bin/python -m scripts sbom --environment $(BUILD)/audit/environment.json \
		--jar $(VENV)/lib/python3.*/site-packages/ts/frontend/model-server.jar

# Each of these targets runs the command of its name.
archive cutout contract depths gateway gateway-key gateway-machine gateway-stop gateway-url image-test kill-workers \
lock logs overload register rollout scale scale-out serve soak status stop stop-under-load token unregister verify weights:
	@$(CLI) $@

u2net: $(SERVING)
	@$(CLI) weights --model u2net

# For commands that need an earlier `make serve` and should not set everything up.
installed:
	@test -e $(SERVING) || { echo "nothing is installed here yet: run make serve first" >&2; exit 1; }

# A wrong variable is an error before anything is installed or built.
checked:
	@$(ANY_PYTHON) $(IS_NEW_ENOUGH)
	@$(ANY_PYTHON) -m scripts check $(firstword $(MAKECMDGOALS))

running: installed
	@$(CLI) token --kind management > /dev/null

$(VENV)/.serving: pyproject.toml constraints.txt
	@$(PYTHON) $(IS_NEW_ENOUGH)
	@$(BEGIN) "installing the server into $(VENV): PyTorch, TorchServe and what they need" \
	&& $(PYTHON) -m venv $(VENV) && $(PIP) -e '.[serve]' && $(NO_TELEMETRY) && touch $@ \
	&& $(call END,$(VENV))

# pip checks the hashes only of what it installs, so the environment must be empty.
$(VENV)/.serving-hashed: pyproject.toml requirements.lock
	@$(PYTHON) -m scripts lock --check
	@$(BEGIN) "installing the server into $(VENV), verified by SHA-256" \
	&& $(PYTHON) -m venv --clear $(VENV) \
	&& $(BIN)/python -m pip install $(QUIET) --require-hashes --only-binary=:all: --no-deps $(PIP_ARGS) \
		-r requirements.lock \
	&& $(BIN)/python -m pip install --quiet --no-index --no-deps --no-build-isolation -e . \
	&& touch $(VENV)/.serving $@ && $(call END,$(VENV))

# These packages are not checked: the next HASHES=1 starts from an empty environment.
$(TESTING): $(SERVING)
	@rm -f $(VENV)/.serving-hashed
	@$(BEGIN) "installing what tests and benchmarks need into $(VENV)" \
	&& $(PIP) -e '.[serve,test,bench]' && $(NO_TELEMETRY) && touch $@ && $(call END,$(VENV))

$(BUILD)/wheels: model_requirements.txt | $(SERVING)
	@rm -rf $@.part
	@$(BEGIN) "downloading the packages that the archive requires" \
	&& $(BIN)/python -m pip download $(QUIET) --only-binary=:all: --dest $@.part $(PIP_ARGS) \
		$(if $(HASHES),--require-hashes --no-deps -r model_requirements.lock,-r $<) \
	&& rm -rf $@ && mv $@.part $@ && touch $@ && $(call END,$@)

# Separate environments: the peers' pins contradict ours; pip-audit and cyclonedx-py must not inspect
# themselves.
$(PEERS): scripts/measure/bench/peers.txt
$(AUDITORS): scripts/release/audit_tools.txt
$(PEERS) $(AUDITORS):
	rm -rf $(@D)
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --no-deps $(PIP_ARGS) -r $<
	touch $@
