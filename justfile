# Everyday recipes. `just` lists them.

staticcheck := "go run honnef.co/go/tools/cmd/staticcheck@v0.8.2"

[private]
default:
    @just --list

# build offloop and imaplab into the current directory (offloop without the C library: less memory)
build:
    CGO_ENABLED=0 go build -trimpath -ldflags=-s ./cmd/offloop
    go build -trimpath ./cmd/imaplab

# all tests, in random order (Dovecot and tmux where they are installed)
test *args:
    go test -shuffle=on {{args}} ./...

# what CI runs before the tests
check:
    test -z "$(gofmt -l .)"
    go vet ./...
    {{staticcheck}} ./...
    go test -run Tidy ./cmd/offloop

# every fuzz target, TIME each
fuzz TIME="1m":
    go list ./... | while read p; do go test -list '^Fuzz' $p | grep '^Fuzz' | while read f; do go test -run '^$' -fuzz "^$f\$" -fuzztime {{TIME}} $p || exit 1; done || exit 1; done

# N worlds of random changes, faults, crashes and power cuts
sim N="5000":
    OFFLOOP_SEEDS={{N}} go test -count=1 -timeout 3h -v -run TestSeededWorld ./cmd/offloop/internal/mailsync

# stop every scenario at every file-system call and every piece on the wire
crash:
    OFFLOOP_FULL=1 go test -count=1 -timeout 3h -v -run 'TestRule3_CrashAnywhere' ./cmd/offloop/internal/mailsync

# N SIGKILLs against a real Dovecot
kill N="1000":
    OFFLOOP_KILLS={{N}} go test -count=1 -timeout 3h -v -run TestKill ./cmd/offloop

# offloop beside mbsync and OfflineIMAP on one Dovecot (imaplab bench -h)
bench *args:
    go build -o offloop ./cmd/offloop
    go run ./cmd/imaplab bench -offloop ./offloop {{args}}

# this tree beside another revision of it, and mbsync
bench-compare REV *args:
    #!/usr/bin/env bash
    set -euo pipefail
    d=$(mktemp -d); trap 'git worktree remove --force "$d/old"; rm -rf "$d"' EXIT
    git worktree add -q --detach "$d/old" {{REV}}
    (cd "$d/old" && go build -o "$d/offloop-old" ./cmd/offloop)
    go build -o "$d/offloop" ./cmd/offloop
    go run ./cmd/imaplab bench -offloop "$d/offloop" -old "$d/offloop-old" -tools offloop,offloop-old,mbsync {{args}}

# every micro-benchmark
bench-micro *args:
    go test -run '^$' -bench . -benchmem {{args}} ./reactor ./imapproto ./maildir ./statefile ./ui

# the built-in demonstration
demo:
    go run ./cmd/offloop demo

# build for every system
cross:
    for t in linux/arm linux/386 darwin/arm64 freebsd/amd64 openbsd/amd64 netbsd/amd64; do echo $t; CGO_ENABLED=0 GOOS=${t%/*} GOARCH=${t#*/} GOARM=5 go build -o /dev/null ./cmd/offloop || exit 1; done
