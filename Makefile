# What to do with journey_stitch from a checkout. Nothing here touches a server that is running.

PG_CONFIG ?= /usr/lib/postgresql/17/bin/pg_config
DATA ?=
MAPPING ?=
KEEP ?=
LAYER ?=
export PG_CONFIG DATA MAPPING KEEP LAYER

.DEFAULT_GOAL := help
.PHONY: help setup install demo test soak storm bench bench-identity bench-analytics lint clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Bring PostgreSQL 17, AGE, pg_cron, cargo-pgrx and what else is missing (Debian 12 and 13)
	@.ci/setup

install: ## Build with the release profile and install into the PostgreSQL of PG_CONFIG
	cargo pgrx install --release --pg-config "$(PG_CONFIG)"

demo: setup install ## Show the whole job on a throwaway cluster (KEEP=1; DATA=FILE.ndjson[.gz] MAPPING=FILE.sql)
	@tests/demo/run.sh

test: setup ## Run every layer of the tests (LAYER=lint|unit|pgrx|regress|isolation|cluster|demo: only that one)
	@tests/run.sh

soak: setup install ## What make test does for a shorter time: random faults under load (KILLS=300), locks held for a minute
	@PARTS=locks HOLD=60 tests/cluster/databases.sh
	@tests/cluster/kills.sh $(or $(KILLS),300)

storm: setup install ## What make test does for half a minute: clients, cancels, terminates and kills at once (FOR=300 seconds)
	@tests/cluster/storm.sh $(or $(FOR),300)

bench: setup install ## Ours beside COPY, plain SQL, DuckDB, pgRouting and Cypher, in one table (SCALE=1000000, PARTS=all)
	@.ci/setup peers || echo 'bench: going on without pgRouting'
	@benches/compare.sh $(or $(SCALE),1000000)

bench-identity: setup install ## What identity rules cost, as ratios in the same run (EVENTS=100000)
	@benches/identity.sh $(or $(EVENTS),100000)

bench-analytics: setup install ## What each call of the analytics costs (EVENTS="100000 1000000")
	@benches/analytics.sh $(or $(EVENTS),100000 1000000)

lint: ## Check formatting, and clippy's lints as errors
	@LAYER=lint tests/run.sh

clean: ## Remove what the build made
	cargo clean
