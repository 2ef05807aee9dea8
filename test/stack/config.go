package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// minimumPassword is Dendrite's limit: it refuses shorter passwords.
const minimumPassword = 8

// Config says which peers a stack has. A port of 0 means any free one.
type Config struct {
	// Dir takes everything that the peers write. Started again on the same
	// folder, they go on with the same data.
	Dir string `json:"dir"`
	// Domain is the server name of Dendrite and the first host of Prosody.
	Domain   string         `json:"domain"`
	Dendrite DendriteConfig `json:"dendrite"`
	Prosody  ProsodyConfig  `json:"prosody"`
	Postgres PostgresConfig `json:"postgres"`
	// Accounts are made on Dendrite and on every Prosody host.
	Accounts []Account `json:"accounts"`
}

// DendriteConfig describes the Matrix homeserver.
type DendriteConfig struct {
	Enabled bool `json:"enabled"`
	// Registrations are appservice registration files, which must exist before
	// the start.
	Registrations []string `json:"registrations"`
	// Binary is the Dendrite program; empty: beside the stack's own.
	Binary string `json:"bin"`
	Port   int    `json:"port"`
}

// ProsodyConfig describes the XMPP server.
type ProsodyConfig struct {
	Enabled    bool        `json:"enabled"`
	Components []Component `json:"components"`
	// SecondHost, if set, is the domain of a second Prosody that federates with
	// the first.
	SecondHost    string `json:"second_host"`
	ClientPort    int    `json:"c2s_port"`
	ComponentPort int    `json:"component_port"`
}

// Component is an external component that may connect (XEP-0114).
type Component struct {
	Name   string `json:"name"`
	Secret string `json:"secret"`
}

// PostgresConfig describes the database server.
type PostgresConfig struct {
	Enabled bool `json:"enabled"`
}

// Account is a user on every server of the stack.
type Account struct {
	Localpart string `json:"localpart"`
	// Password has at least 8 characters, because Dendrite refuses less.
	Password string `json:"password"`
}

// readConfig reads the file and refuses what would only fail later.
func readConfig(file string) (Config, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return Config{}, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var config Config
	if err := decoder.Decode(&config); err != nil {
		return Config{}, fmt.Errorf("%s: %w", file, err)
	}
	if err := config.complete(); err != nil {
		return Config{}, fmt.Errorf("%s: %w", file, err)
	}
	return config, nil
}

// complete makes paths absolute, fills in defaults and checks the rest.
func (c *Config) complete() error {
	if c.Dir == "" || c.Domain == "" {
		return errors.New("dir and domain must be set")
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return err
	}
	c.Dir = dir
	if c.Dendrite.Enabled && c.Dendrite.Binary == "" {
		if c.Dendrite.Binary, err = besideStack("dendrite"); err != nil {
			return err
		}
	}
	for _, account := range c.Accounts {
		if len(account.Password) < minimumPassword {
			return fmt.Errorf("the password of %s has fewer than %d characters, which Dendrite refuses",
				account.Localpart, minimumPassword)
		}
	}
	return nil
}

// besideStack is the path of a program in the folder of this one.
func besideStack(name string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	return filepath.Join(filepath.Dir(self), name), nil
}
