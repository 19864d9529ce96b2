# Two targets do everything on a fresh machine with a Swift 6.2+ toolchain: `make demo` and `make test`.
SWIFT ?= swift
# One configuration for all: other flags would rebuild every dependency, and debug numerics are too slow.
FLAGS := -c release -Xswiftc -enable-testing
# `swift test` would add its own -enable-testing to the one above, and so compile every package once more.
TEST_FLAGS := $(FLAGS) --disable-testable-imports
PREFIX ?= /usr/local

# Warnings are errors here, but not for those who depend on the package with a newer toolchain.
export PARLEY_STRICT := 1
# A test that crashes must end, not wait for a debugger at a prompt.
export SWIFT_BACKTRACE := interactive=no,color=no

.PHONY: demo hospitals predict market test python-test audit simulations faults fuzz bench compare study contract build format install prerequisites

demo: build
	@"$$($(SWIFT) build $(FLAGS) --show-bin-path)/parley" demo

# Three datasites and a coordinator, as processes, train on PneumoniaMNIST (DATA, 4 MB: https://zenodo.org/records/10519652); 4 minutes.
DATA ?= ../shared/data/pneumoniamnist/pneumoniamnist_full.npz
hospitals: build
	@"$$($(SWIFT) build $(FLAGS) --show-bin-path)/parley" demo hospitals --data "$(DATA)"

# Ten of the same images are predicted on shares: a dealer, a company's datasite and a hospital, as processes; ten seconds.
predict: build
	@"$$($(SWIFT) build $(FLAGS) --show-bin-path)/parley" demo predict --data "$(DATA)"

# A task of the marketplace on the same images, from funding to payout: a minute.
market: build
	@"$$($(SWIFT) build $(FLAGS) --show-bin-path)/parley" demo market --data "$(DATA)"

build: prerequisites
	$(SWIFT) build $(FLAGS) --product parley

test: prerequisites
	$(SWIFT) test $(TEST_FLAGS)
	scripts/python-test

# The Python client alone, against a datasite that it starts: a minute, and another one for its environment the first time.
python-test: build
	scripts/python-test

# What the mechanisms, questions and steps of training claim, attacked with the system's randomness and fifty times as many draws, and
# answering times of neighbouring tables behind real servers: 45 minutes.
audit: prerequisites
	PARLEY_AUDIT=deep $(SWIFT) test $(TEST_FLAGS) --filter "PrivacyAudits|TimingAudit"

# How often intervals of `Statistics` hold and its tests err, by simulation, as JSON lines: hours; COVERAGE seeds (4000) a case.
simulations: prerequisites
	PARLEY_AUDIT=deep PARLEY_COVERAGE=$(or $(COVERAGE),4000) $(SWIFT) test $(TEST_FLAGS) --filter "StatisticsTests"

# Kills the server under load a thousand times (KILLS) and checks after each restart that nothing is lost; sends it what
# schemathesis makes up; then, alone on the machine, times requests beside scans: 20 minutes.
KILLS ?= 1000
faults: prerequisites
	PARLEY_FAULTS=$(KILLS) $(SWIFT) test $(TEST_FLAGS) --filter FaultTests --skip ServingFaultTests
	PARLEY_FAULTS=$(KILLS) $(SWIFT) test $(TEST_FLAGS) --filter ServingFaultTests

# Fuzzes each reader of outside input for a while (SECONDS_EACH), beginning with the corpus that `make test` replays.
fuzz: prerequisites
	scripts/fuzz

# Our own figures, one JSON object a line; some minutes. A 10 GB file is read where 25 GB are free. One benchmark alone:
# make bench BENCH=groupby.
bench: prerequisites
	$(SWIFT) build $(FLAGS) --product parley
	$(SWIFT) build $(FLAGS) --product parley-bench
	@"$$($(SWIFT) build $(FLAGS) --show-bin-path)/parley-bench" $(BENCH)

# The same beside other libraries, which come from PyPI into throw-away environments (needs Python 3.11); a quarter of an hour.
# Parts alone: make compare ONLY="noise errors".
compare: prerequisites
	$(SWIFT) build $(FLAGS) --product parley
	$(SWIFT) build $(FLAGS) --product parley-bench
	@folder="$$($(SWIFT) build $(FLAGS) --show-bin-path)" && \
		Benchmarks/compare/run --parley "$$folder/parley" --parley-bench "$$folder/parley-bench" $(if $(ONLY),--only $(ONLY))

# Training together beside one place, alone and with other noise, on PneumoniaMNIST: SEEDS paired seeds (10), 20 minutes.
study: prerequisites
	$(SWIFT) build $(FLAGS) --product parley-bench
	@"$$($(SWIFT) build $(FLAGS) --show-bin-path)/parley-bench" study $(SEEDS)

# Compiles the escrow contract with Vyper, from PyPI in a throw-away environment, and compares with what is committed.
contract:
	@scripts/with-pypi vyper==0.4.3 -- scripts/contract

format:
	$(SWIFT) format --in-place --recursive --parallel --configuration .swift-format Package.swift Sources Tests Benchmarks

install: build
	install -d "$(DESTDIR)$(PREFIX)/bin"
	install -m 755 "$$($(SWIFT) build $(FLAGS) --show-bin-path)/parley" "$(DESTDIR)$(PREFIX)/bin/parley"

prerequisites:
	@scripts/prerequisites
