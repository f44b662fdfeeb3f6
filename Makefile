# What there is to type. `make` lists it.

SHELL := bash
.DEFAULT_GOAL := help

ARGS     ?=# for the binary: make demo ARGS=--help
PKG      ?= ./...
FUZZTIME ?= 5s
COVER    ?= 90
DURATION ?= 10m
SIZE     ?= 1000000

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## the binary, bin/gtf
	go build -o bin/gtf ./cmd/gtf

demo: build ## real tasks of three people, live in this terminal
	bin/gtf demo $(ARGS)

test: ## every test with the race detector; PKG=./store/... for some
	scripts/test.sh $(PKG)

check: ## what CI runs: format, vet, tidy, generated files, lint, test
	scripts/check.sh

lint: bin/golangci-lint ## golangci-lint with .golangci.yml; PKG=./store/... for some
	bin/golangci-lint run $(PKG)

cover: ## coverage of the root package, at least COVER=90 percent
	scripts/cover.sh $(COVER)

fuzz: ## every fuzz target for FUZZTIME=5s, then 20,000 requests of the API
	scripts/fuzz.sh $(FUZZTIME)

services: ## PostgreSQL and Redis until Ctrl-C, to try gtf with
	@scripts/need.sh postgres redis || true
	@go build -o bin/services ./internal/services
	@bin/services

bench: build ## throughput and latency on this machine
	bin/gtf bench $(ARGS)

bench-lists: ## pages, filters and changes among SIZE=1000000 tasks, on both databases; twenty minutes
	@scripts/need.sh postgres
	GTF_BENCH_LISTS=$(SIZE) go test ./store/sqlitestore ./store/pgstore -run NONE -bench Lists -benchtime 100x -timeout 1h -p 1

bench-peers: ## gtf beside River, asynq and DBOS, as in docs/benchmarks.md; ten minutes
	@scripts/need.sh postgres redis
	go -C bench run . $(ARGS)

torture: ## faults at random for DURATION=10m, then every task is accounted for
	@scripts/need.sh postgres redis || true
	go run ./internal/torture -duration $(DURATION) $(ARGS)

# A module of its own pins the linter, so that the library's go.mod stays short. Building it takes a minute once.
bin/golangci-lint: tools/go.mod tools/go.sum
	go build -C tools -o ../bin/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	@touch $@

.PHONY: help build demo test check lint cover fuzz services bench bench-lists bench-peers torture
