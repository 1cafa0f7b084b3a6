# make          checks and tests everything
# make run      runs the server at http://localhost:1411
# make image    packs build/image: the container image, without an engine; see docs/deployment.md
# make release  builds what is published, into build/release, with checksums
# make bench    measures the server and prints tables; see docs/benchmarks.md
# make kill-test  kills the server 100 times and looks for what is lost; see test/kill
# make ha-test    kills replicas behind nginx for five minutes, and stops their PostgreSQL
# make parties  lets relying parties of others sign in; see docs/relying-parties.md
# make fuzz     runs each fuzz target for FUZZ_TIME (10m); their corpora run with the tests
# make screenshots  pictures every page in both languages, wide and narrow, light and dark
# make golden   writes the golden files anew; look at the difference before you commit it

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

.PHONY: all run build image release check test short race bench kill-test ha-test parties fuzz screenshots golden fmt clean

all: check test

run:
	$(GO) run ./cmd/pocket-id

# The binary that is shipped: no C, no paths of this machine, no symbols, and no copies of
# small functions in the packages whose time is that of a page or a command (decision 0280).
OUT  ?= build/pocket-id
COLD  = pocketid/cmd/pocket-id pocketid/internal/app pocketid/internal/audit pocketid/internal/directory pocketid/internal/jobs pocketid/internal/outbound pocketid/internal/socket pocketid/internal/settings pocketid/internal/overview pocketid/internal/images pocketid/internal/api pocketid/internal/moving pocketid/internal/web \
	github.com/google/go-tpm/... github.com/go-viper/mapstructure/v2/... \
	github.com/go-webauthn/webauthn/metadata github.com/tinylib/msgp/... github.com/dustin/go-humanize rsc.io/qr/... github.com/golang-jwt/jwt/v5

build:
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags '-s -w -funcalign 16 -X main.version=$(VERSION)' $(COLD:%=-gcflags=%=-l) -o $(OUT) ./cmd/pocket-id

# The image for each architecture, and the index over them. ARCHES may name fewer. The same
# sources give the same bytes: the only time in them is that of the commit.
ARCHES   ?= amd64 arm64
REVISION ?= $(shell git rev-parse HEAD 2>/dev/null)
EPOCH     = $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null),1)
PACK      = $(GO) run ./deploy/image -version '$(VERSION)' -revision '$(REVISION)' -created $(EPOCH)
IMAGE    ?= build/image

image: $(ARCHES:%=binary-%)
	$(PACK) -out $(IMAGE) $(foreach a,$(ARCHES),$(a)=$(IMAGE)-$(a))
	rm -f $(ARCHES:%=$(IMAGE)-%)

binary-%:
	GOOS=linux GOARCH=$* $(MAKE) build OUT=$(IMAGE)-$*

# What is published: programs, images, what they are made of, and the sums of all. REPOSITORY
# is where the image goes; it is put into the templates of deploy.
REPOSITORY ?= registry.example.com/pocket-id
PLATFORMS  ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 freebsd/amd64

release:
	@GO='$(GO)' MAKE='$(MAKE)' deploy/release.sh '$(VERSION)' '$(REPOSITORY)' $(PLATFORMS)

check:
	@test/check.sh

test:
	@test/run.sh

# What needs neither PostgreSQL nor a browser.
short:
	$(GO) test -short ./...

# The packages in which goroutines meet, under the race detector.
race:
	@test/run.sh -race -count=1 -timeout=20m ./internal/... ./test/protocol/...

bench: build
	$(GO) run ./test/bench -binary build/pocket-id

# KILLS, KILL_SEED, KILL_POSTGRES: see test/kill/doc.go.
kill-test:
	KILLS=$(or $(KILLS),100) TEST_POSTGRES='$(KILL_POSTGRES)' $(GO) test -count=1 -v -timeout 60m -run '$(if $(KILL_POSTGRES),Kill,Kill/sqlite)' ./test/kill

# HA_SECONDS: how long replicas are killed under load; see docs/high-availability.md.
ha-test:
	HA_SECONDS=$(or $(HA_SECONDS),300) $(GO) test -count=1 -v -timeout 60m -run 'Replicas|PostgresGoesAway|PostgresFailsOver' ./test/kill

parties:
	@test/parties.sh

fuzz:
	@test/fuzz.sh

# The contact sheet is build/screens/index.html.
screenshots:
	SCREENS=$(CURDIR)/build/screens $(GO) test -count=1 -v -timeout 60m -run TestEveryPage ./test/browser

golden:
	@test/golden.sh

fmt:
	gofmt -w $$(git ls-files '*.go')

clean:
	rm -rf build
