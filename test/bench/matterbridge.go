package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// newMatterbridge starts matterbridge 1.26.0 between a public room of the
// homeserver and a room of Prosody's own, as its documentation has it. Texts
// go without the sender's name, so that they can be compared.
func newMatterbridge(ctx context.Context, s *site) (*relay, error) {
	binary, err := program("MAILROOM_MATTERBRIDGE")
	if err != nil {
		return nil, err
	}
	r := &relay{name: "matterbridge", results: make(map[string]*[2][]verdict), muc: "relay@" + s.stack.Prosody.MUC}
	if r.room, err = s.mia.createRoom(ctx, "relay"); err != nil {
		return nil, err
	}
	if err := s.xena.enter(ctx, r.muc); err != nil {
		return nil, err
	}
	if r.link, err = newProxy(s.stack.Prosody.Client); err != nil {
		return nil, err
	}
	file := filepath.Join(s.dir, "matterbridge.toml")
	settings := fmt.Sprintf(matterbridgeSettings, r.link.address, domain, password, s.stack.Prosody.MUC, s.stack.Dendrite.URL)
	if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
		return nil, err
	}
	r.server = &child{name: "matterbridge", path: binary, args: []string{"-conf", file}, log: filepath.Join(s.dir, "matterbridge.log")}
	r.start = func(context.Context) error { return r.server.start() }
	if err := r.server.start(); err != nil {
		return nil, err
	}
	return r, r.server.failed(r.probe(ctx, s))
}

const matterbridgeSettings = `
[xmpp.bench]
Server = "%s"
Jid = "relay@%[2]s"
Password = "%[3]s"
Muc = "%[4]s"
Nick = "relay"
NoTLS = true
RemoteNickFormat = ""

[matrix.bench]
Server = "%[5]s"
Login = "relay"
Password = "%[3]s"
NoHomeServerSuffix = true
RemoteNickFormat = ""

[[gateway]]
name = "bench"
enable = true

[[gateway.inout]]
account = "xmpp.bench"
channel = "relay"

[[gateway.inout]]
account = "matrix.bench"
channel = "#relay:%[2]s"
`

// probe waits until a word gets through each way.
func (r *relay) probe(ctx context.Context, s *site) error {
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	toXMPP, toMatrix := s.xena.expect("to XMPP"), s.mia.expect("to Matrix")
	for ctx.Err() == nil && (toXMPP != nil || toMatrix != nil) {
		if err := errors.Join(s.mia.sayIn(r.room)(ctx, "to XMPP"), s.xena.sayIn(r.muc)(ctx, "to Matrix")); err != nil {
			return err
		}
		pause(ctx, 500*time.Millisecond)
		select {
		case <-toXMPP:
			toXMPP = nil
		default:
		}
		select {
		case <-toMatrix:
			toMatrix = nil
		default:
		}
	}
	return ctx.Err()
}
