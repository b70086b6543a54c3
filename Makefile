# `make` prints what there is to make.
MODULES := services/kit services/contracts services/gateway services/users services/orders services/payments \
           services/notifications deploy/local deploy/acceptance
APART := deploy/kubernetes deploy/observability # not in go.work
LAUNCHER := .sidecart/bin/sidecart
GOLANGCI_LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOFUMPT := mvdan.cc/gofumpt@v0.12.0
ACTIONLINT := github.com/rhysd/actionlint/cmd/actionlint@v1.7.12

.DEFAULT_GOAL := help
.PHONY: help run stop status backing backends test unit acceptance chaos bench cluster-test images lint vulnerabilities format clean

help: ## print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(LAUNCHER) ## build and run everything here, no Docker; Ctrl-C stops it (COMPONENTS=production for the other set)
	@$(LAUNCHER) run $(if $(COMPONENTS),--components $(COMPONENTS)) $(ARGS)

stop: $(LAUNCHER) ## stop what `make run ARGS=--detach` started
	@$(LAUNCHER) stop

status: $(LAUNCHER) ## show what runs
	@$(LAUNCHER) status

backing: $(LAUNCHER) ## run only what `dapr run -f .` needs beside it: Redis, inbox, secrets
	@$(LAUNCHER) backing

backends: $(LAUNCHER) ## run PostgreSQL and Redis from this machine's binaries, for `make run COMPONENTS=production`
	@$(LAUNCHER) backends

test: ## every test this machine can run, and what it could not run and why
	@sh deploy/acceptance/test.sh

unit: ## tests without a running system
	@sh deploy/acceptance/test.sh unit

acceptance: ## the black-box suite against a system of its own
	@sh deploy/acceptance/test.sh acceptance

chaos: ## kill, stop, empty and stall everything under load, and count what is lost (CHAOS_ORDERS, CHAOS_FAULTS, CHAOS_SEED)
	@cd deploy/acceptance && CHAOS_ORDERS=$(or $(CHAOS_ORDERS),500) CHAOS_FAULTS=$(or $(CHAOS_FAULTS),36) go test -count=1 -v -timeout 60m ./chaos

bench: ## orders per second against bare sidecars, latencies, reads in a large store, memory, start (knobs: deploy/acceptance/README.md)
	@cd deploy/acceptance && go test -run '^$$' -bench . -benchtime 1x -timeout 60m ./bench

cluster-test: ## the overlays against a real API server: of KUBECONFIG, or of the binaries in KUBEBUILDER_ASSETS
	@cd deploy/kubernetes && GOWORK=off go test -count=1 -v -run 'ARealAPIServer|TheRestrictedStandard' .

images: ## container images without Docker: OCI layouts in .sidecart/images, or pushed to KO_DOCKER_REPO (deploy/kubernetes/images.sh)
	@deploy/kubernetes/images.sh

lint: ## formatting, vet and lint
	@test -z "$$(go run $(GOFUMPT) -l $(MODULES))" || { echo 'run `make format`'; exit 1; }
	@test -z "$$(go run $(GOFUMPT) -l $(APART))" || { echo 'run `make format`'; exit 1; }
	@for m in $(APART); do (cd $$m && GOWORK=off go vet ./...) || exit 1; done
	@.ci/workflows $(ACTIONLINT)
	@for m in $(MODULES); do (cd $$m && go vet ./... && go run $(GOLANGCI_LINT) run --config $(CURDIR)/.golangci.yml ./...) || exit 1; done

vulnerabilities: ## known vulnerabilities that the code of any module reaches
	@.ci/vulnerabilities

format: ## format the code
	@go run $(GOFUMPT) -w $(MODULES) $(APART)

clean: ## remove what was built and stored here
	@rm -rf .sidecart

.PHONY: $(LAUNCHER)
$(LAUNCHER):
	@command -v go >/dev/null || { echo 'Go is missing: install it from https://go.dev/dl' >&2; exit 1; }
	@mkdir -p $(@D) && go build -o $@ ./deploy/local/cmd/sidecart
