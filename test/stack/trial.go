package main

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

//go:embed mailroom.yaml.tmpl
var mailroomTemplate string

// trialDomain is the domain of the homeserver, the XMPP server and the
// initiator.
const trialDomain = "example.org"

// initiator is the address that the first mail comes from.
const initiator = "alice@" + trialDomain

// trialUsers have an account on Dendrite and on Prosody.
var trialUsers = []string{"carol", "dave"}

// trialPorts are the ports of a trial. People type them into clients, so they
// are the same at every start.
type trialPorts struct {
	Web, SMTP, Submission, Matrix, Metrics int // mailroom's
	Dendrite, Client, Component            int // the peers'
}

var wellKnownPorts = trialPorts{
	Web: 8080, SMTP: 2525, Submission: 2587, Matrix: 29300, Metrics: 9300,
	Dendrite: 8008, Client: 5222, Component: 5347,
}

// secrets are made at the first start and kept in the folder.
type secrets struct {
	Component string            `json:"component"`
	Passwords map[string]string `json:"passwords"` // of trialUsers
	// Submission is the initiator's app password; empty until mailroom made it.
	Submission string `json:"submission"`
}

// trial is the folder of `stack run`: mailroom's configuration and data, the
// peers' data, and the secrets that they share.
type trial struct {
	Dir     string // absolute
	Domain  string
	Ports   trialPorts
	Secrets secrets
}

// openTrial makes the folder or goes on with what an earlier run left in it.
func openTrial(dir string, ports trialPorts) (*trial, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	t := &trial{Dir: dir, Domain: trialDomain, Ports: ports}
	if err := t.readSecrets(); err != nil {
		return nil, err
	}
	return t, t.writeConfig()
}

func (t *trial) file(name string) string { return filepath.Join(t.Dir, name) }

func (t *trial) readSecrets() error {
	text, err := os.ReadFile(t.file("secrets.json"))
	if err == nil {
		return json.Unmarshal(text, &t.Secrets)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	t.Secrets = secrets{Component: rand.Text(), Passwords: map[string]string{}}
	for _, user := range trialUsers {
		t.Secrets.Passwords[user] = typeablePassword()
	}
	return t.keepSecrets()
}

func (t *trial) keepSecrets() error {
	text, err := json.MarshalIndent(t.Secrets, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(t.file("secrets.json"), text, 0o600)
}

// typeablePassword has 60 random bits in lower-case base32.
func typeablePassword() string {
	return strings.ToLower(rand.Text()[:12])
}

func (t *trial) writeConfig() error {
	text, err := fill(mailroomTemplate, t)
	if err != nil {
		return err
	}
	return os.WriteFile(t.file("mailroom.yaml"), []byte(text), 0o600)
}

// newPeers prepares the servers around mailroom.
func (t *trial) newPeers(ctx context.Context, dendrite string) (*stack, error) {
	config := Config{
		Dir: t.Dir, Domain: t.Domain,
		Dendrite: DendriteConfig{
			Enabled: true, Binary: dendrite, Port: t.Ports.Dendrite,
			Registrations: []string{t.file("registration.yaml")},
		},
		Prosody: ProsodyConfig{
			Enabled: true, ClientPort: t.Ports.Client, ComponentPort: t.Ports.Component,
			Components: []Component{{Name: "rooms." + t.Domain, Secret: t.Secrets.Component}},
		},
	}
	for _, user := range trialUsers {
		config.Accounts = append(config.Accounts, Account{Localpart: user, Password: t.Secrets.Passwords[user]})
	}
	if err := config.complete(); err != nil {
		return nil, err
	}
	return newStack(ctx, config)
}
