.DEFAULT_GOAL := help
.PHONY: help build test race vet lint fuzz laws long crash reload conformance bench benchmarks cover ci clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build devtool, without cgo, into ./devtool
	CGO_ENABLED=0 go build -o devtool .

test: ## run the tests
	CGO_ENABLED=0 go test ./... ./testdata/apps/...

race: ## run the tests with the race detector (needs a C compiler)
	CGO_ENABLED=1 go test -race ./... ./testdata/apps/...

vet: ## run go vet, for this system and the others
	.ci/run vet

lint: ## run golangci-lint in the pinned version, installed if it is missing
	.ci/run lint

fuzz: ## run each fuzz test for 10 s (FUZZTIME=1m, or 5000000x for a count; FUZZ='JSONC|TOML' for some)
	FUZZTIME=$${FUZZTIME:-10s} .ci/run fuzz

laws: ## run the property tests with new inputs, 1000 each (CHECKS=10000 for more, SEED=N to repeat)
	RAPID_CHECKS=$${CHECKS:-1000} RAPID_SEED=$${SEED:-0} go test -count 1 -timeout 2h \
		$$(grep -rl --include='*_test.go' 'rapid\.Check' . | xargs -n1 dirname | sort -u)

long: ## run at full length what make test shortens, as .ci/run does (KILLS=40 EDITS=24 SEED=N)
	.ci/run long

crash: ## end emulators and programs 200 times under load, and during a month (KILLS=1000 for more, SEED=N to repeat)
	go test -run '^(TestKills|TestNoEnd)' -count 1 -v -timeout 1h ./cli \
		-killing.kills $${KILLS:-200} -killing.seed $${SEED:-0}

reload: ## edit a program 50 times under load (EDITS=200 for more)
	go test -run '^TestEditsUnderLoad' -count 1 -v -timeout 1h ./cli -reload.edits $${EDITS:-50}

bench: ## compare with workerd, wrangler dev and go build on this machine (needs npm; BENCH=-help for more)
	@go run ./benchmark $(BENCH)

benchmarks: ## run the benchmarks of each package
	go test -run '^$$' -bench . -benchmem ./...

conformance: ## compare with workerd and wrangler, which npm fetches (ARGS=--help for more)
	@go run ./conformance/cmd $(ARGS)

cover: ## write the tests' coverage to cover.out and cover.html, and print the total
	go test -coverpkg ./... -coverprofile cover.out ./...
	go tool cover -html cover.out -o cover.html
	@go tool cover -func cover.out | tail -1

ci: ## run every check that a change has to pass
	.ci/run

clean: ## remove the files that the targets above write
	rm -f devtool devtool.exe cover.out cover.html
