# FastForward: everything that is built, checked or run goes through here. `make help` lists it.

PREFIX ?= /usr/local
# How long the soak runs.
MINUTES ?= 10
# How long each fuzz target runs.
SECONDS ?= 60

SWIFT ?= swift
RELEASE := .build/release
# The release's own flags; ARCHITECTURE.md says why.
RELEASE_FLAGS := --static-swift-stdlib -Xswiftc -enforce-exclusivity=unchecked \
    -Xswiftc -use-ld=lld -Xlinker --icf=safe -Xswiftc -L.build/static
FORMATTED := Package.swift Sources Tests benchmarks/codecs benchmarks/micro
PEERS := .build/peers
ARCHIVES := .build/archives

# What `make simulate` runs: one seed with all that happens, or so many.
SEEDS ?= 200
# How many of them run beside `make soak`.
SOAK_SEEDS ?= 10000

.PHONY: release demo check dependencies lint readme instructions build test peers format fuzz simulate soak faults sanitize reference bench bench-quick bench-micro profile install uninstall archive clean help
# One build at a time: SwiftPM locks its directory, and a check has an order.
.NOTPARALLEL:

release: ## Build ffwd and minicluster, optimised, without a Swift run time to install (the default)
	@scripts/install-dependencies build
	@# The only C++ library that the linker finds there, so it is linked in, where the system has it.
	@mkdir -p .build/static
	@ln -sf "$$(cc -print-file-name=libstdc++.a || clang -print-file-name=libstdc++.a)" .build/static/libstdc++.a
	$(SWIFT) build -c release $(RELEASE_FLAGS)

demo: release ## Forward to a pod of a small cluster of our own, and time a download
	@scripts/install-dependencies demo
	@scripts/demo $(RELEASE)

# The heavy scenarios are made for an optimised ffwd; without it they run at a sixteenth of their size.
check: export FFWD_BIN_DIR = $(CURDIR)/$(RELEASE)
check: dependencies lint readme release instructions build peers test ## Everything that CI checks

dependencies:
	@scripts/install-dependencies build demo check

soak: release ## Break servers, networks and pods for MINUTES minutes, and simulate SOAK_SEEDS seeds; SEED=n repeats a run
	@Tests/Soak/run --minutes $(MINUTES) --seeds $(SOAK_SEEDS) $(if $(SEED),--seed $(SEED)) --out $(CURDIR)/Tests/Soak/results

faults: release ## Compare with kubectl, fault by fault: Tests/Soak/results/faults.md
	@Tests/Soak/run --faults --out $(CURDIR)/Tests/Soak/results

lint: ## Formatting and conventions, without building
	$(SWIFT) format lint --strict --recursive $(FORMATTED)
	@for script in .ci/run scripts/* Tests/Peers/build.sh Tests/Soak/build.sh Tests/Soak/run benchmarks/run benchmarks/instructions benchmarks/reference/build.sh; do \
	    [ ! -f "$$script" ] || bash -n "$$script" || exit 1; \
	done
	@! command -v gofmt >/dev/null || { list=$$(gofmt -l Tests benchmarks) && [ -z "$$list" ]; } || { echo "not gofmt's format: $$list" >&2; exit 1; }

instructions: ## Count the codecs' instructions, and compare with the record (RECORD=--record makes it anew)
	@RELEASE_FLAGS='$(RELEASE_FLAGS)' benchmarks/instructions $(RECORD)

readme: ## Check that README's tables say what their result files say
	@benchmarks/run --readme check
	@Tests/Soak/run --readme check

build: ## Build everything with its tests, unoptimised
	$(SWIFT) build --build-tests

peers: ## Build the foreign peers (Go) that the integration tests run against
	@[ ! -x Tests/Peers/build.sh ] || Tests/Peers/build.sh $(PEERS)
	@Tests/Soak/build.sh $(PEERS)

test: ## Run all tests; one suite: make test FILTER=WebSocket
	$(if $(FILTER),$(SWIFT) test --filter '$(FILTER)',@SWIFT='$(SWIFT)' scripts/test)

format: ## Rewrite the sources in the project's format
	$(SWIFT) format --in-place --recursive $(FORMATTED)

fuzz: ## Fuzz each decoder for SECONDS seconds; one: make fuzz TARGET=spdy
	@scripts/fuzz $(SECONDS) $(TARGET)

simulate: ## Run SEEDS seeds of the whole forwarder on a simulated kernel; SEED=N: one, with all that happens
	$(SWIFT) build -c release $(RELEASE_FLAGS) --product simulate
	@$(RELEASE)/simulate $(if $(SEED),--seed $(SEED),--count $(SEEDS))

sanitize: peers ## Run all tests, ffwd and minicluster under the address and the thread sanitizer
	@SWIFT='$(SWIFT)' scripts/sanitize address '$(FILTER)'
	@SWIFT='$(SWIFT)' scripts/sanitize thread '$(FILTER)'

reference: ## Build the yardstick of the benchmarks (C)
	@benchmarks/reference/build.sh .build/benchmarks

bench: release ## Measure; benchmarks/README.md says what and how
	@benchmarks/run

bench-quick: release ## The same experiments on less: under three minutes
	@benchmarks/run --quick

bench-micro: ## Time the codecs and cores by themselves
	@FFWD_BENCHMARKS=1 $(SWIFT) package --package-path benchmarks/micro --scratch-path .build-micro \
	    benchmark --no-progress --grouping metric --format markdown --path stdout

profile: release ## Where ffwd and the yardstick spend their time (perf)
	@benchmarks/run --profile

# Paths may hold spaces: they go by the environment, not through make's words.
install: export PREFIX := $(PREFIX)
install: export DESTDIR := $(DESTDIR)
install: $(RELEASE)/ffwd ## Install ffwd with completion and manual under PREFIX (/usr/local)
	@scripts/install install $(RELEASE)

uninstall: export PREFIX := $(PREFIX)
uninstall: export DESTDIR := $(DESTDIR)
uninstall: ## Remove what was installed under PREFIX
	@scripts/install uninstall $(RELEASE)

# Where it was built already, root installs without building anything.
$(RELEASE)/ffwd:
	@$(MAKE) release

archive: export HOMEPAGE := $(HOMEPAGE)
archive: release ## Pack what would be installed; with HOMEPAGE=https://… also a krew manifest
	@scripts/archive $(RELEASE) $(ARCHIVES)

clean: ## Remove everything that was built
	rm -rf .build .build-asan .build-tsan .build-fuzz .build-micro

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | sed 's/:.*## /\t/' | \
	    awk -F'\t' '{ printf "  make %-12s %s\n", $$1, $$2 }'
