GO ?= go

.PHONY: check
check:
	$(GO) vet ./...
