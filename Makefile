.DEFAULT_GOAL := help
.PHONY: help build test race vet lint fuzz bench cover ci clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build devtool, without cgo, into ./devtool
	CGO_ENABLED=0 go build -o devtool .

test: ## run the tests
	CGO_ENABLED=0 go test ./...

race: ## run the tests with the race detector (needs a C compiler)
	CGO_ENABLED=1 go test -race ./...

vet: ## go vet, also for the other systems
	.ci/run vet

lint: ## golangci-lint in the pinned version, installed if need be
	.ci/run lint

fuzz: ## run each fuzz test for 10 s (FUZZTIME=1m for longer)
	FUZZTIME=$${FUZZTIME:-10s} .ci/run fuzz

bench: ## run the benchmarks
	go test -run '^$$' -bench . -benchmem ./...

cover: ## write the tests' coverage to cover.out and cover.html, and print the sum
	go test -coverpkg ./... -coverprofile cover.out ./...
	go tool cover -html cover.out -o cover.html
	@go tool cover -func cover.out | tail -1

ci: ## everything that a change has to pass
	.ci/run

clean: ## remove what the targets above have made
	rm -f devtool devtool.exe cover.out cover.html
