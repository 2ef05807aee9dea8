# build   ./mailroom, static
# run     mailroom with a Matrix and an XMPP server on this machine, to try it
# test    everything, against real servers, with the race detector
# bench   measures, and writes docs/benchmarks.md
# lint    formatting and vet

bin     := $(CURDIR)/.cache/bin
version := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
flags   := -trimpath -ldflags '-X main.version=$(version)'

# Where tests and measurements find the programs that they start.
peer_programs := MAILROOM_STACK=$(bin)/stack MAILROOM_DENDRITE=$(bin)/dendrite
# A data race in the server under test ends it.
test_programs := $(peer_programs) MAILROOM_BINARY=$(bin)/mailroom-race GORACE=halt_on_error=1

# Matterbridge without the networks that it is not measured on; with nctalk it
# does not build.
matterbridge_tags := nonctalk nomsteams nosteam nowhatsapp nokeybase noharmony novk nomumble \
	nosshchat nodiscord noslack notelegram nomattermost norocketchat nozulip

.PHONY: build run test bench lint peers test-stack race-binary
.DELETE_ON_ERROR:

build:
	CGO_ENABLED=0 go build $(flags) -o mailroom .

run: build
	@test/stack/install run
	@$(MAKE) --no-print-directory peers
	@$(bin)/stack run -mailroom ./mailroom -dir local

test:
	test/stack/install
	@$(MAKE) --no-print-directory peers race-binary
	@$(MAKE) --no-print-directory test-stack
	$(test_programs) go test -race -timeout 25m ./...
	go test -timeout 10m -run '^TestEverySequence' ./bridge

test-stack:
	cd test/stack && go vet ./... && $(test_programs) go test -race -timeout 5m ./...

race-binary:
	CGO_ENABLED=1 go build -race $(flags) -o $(bin)/mailroom-race .

bench: build
	test/stack/install
	@$(MAKE) --no-print-directory peers $(bin)/matterbridge
	$(peer_programs) MAILROOM_BINARY=$(CURDIR)/mailroom MAILROOM_MATTERBRIDGE=$(bin)/matterbridge \
		go run ./test/bench -out docs/benchmarks.md

lint:
	@unformatted="$$(gofmt -l $$(git ls-files '*.go'))"; \
	if [ -n "$$unformatted" ]; then echo "Run gofmt -w on:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	cd test/stack && go vet ./...
	@if command -v staticcheck >/dev/null; then staticcheck ./... && cd test/stack && staticcheck ./...; fi

# The programs that mailroom is run and tested with.
peers: $(bin)/dendrite $(bin)/stack

$(bin)/dendrite: test/stack/go.mod test/stack/go.sum
	@echo "Building Dendrite (about two minutes the first time)"
	cd test/stack && CGO_ENABLED=0 go build -trimpath -o $@ github.com/element-hq/dendrite/cmd/dendrite

$(bin)/stack: $(filter-out %_test.go,$(wildcard test/stack/*.*))
	cd test/stack && CGO_ENABLED=0 go build -trimpath -o $@ .

$(bin)/matterbridge: test/stack/matterbridge/go.mod test/stack/matterbridge/go.sum
	cd test/stack/matterbridge && CGO_ENABLED=0 go build -trimpath -tags '$(matterbridge_tags)' -o $@ github.com/42wim/matterbridge
