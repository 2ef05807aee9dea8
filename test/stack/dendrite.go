package main

import (
	"bytes"
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

//go:embed dendrite.yaml.tmpl
var dendriteTemplate string

// dendrite is the Matrix homeserver: SQLite files, no federation, open
// registration, no rate limits.
type dendrite struct {
	*process
	url    string
	domain string
}

// newDendrite writes the configuration and the signing key into dir. Its
// databases are named relative to dir, where it runs.
func newDendrite(config Config, dir string, held *ports, spawner spawner) (*dendrite, error) {
	port, err := held.choose(config.Dendrite.Port, "Dendrite")
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(config.Dendrite.Binary); err != nil {
		return nil, fmt.Errorf("the Dendrite program is missing; `make peers` builds it: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	keyFile := filepath.Join(dir, "signing.pem")
	if err := ensureSigningKey(keyFile); err != nil {
		return nil, err
	}
	configFile := filepath.Join(dir, "dendrite.yaml")
	if err := writeDendriteConfig(configFile, keyFile, config); err != nil {
		return nil, err
	}
	d := &dendrite{url: "http://" + loopback(port), domain: config.Domain}
	d.process = &process{
		name: "dendrite", log: filepath.Join(dir, "dendrite.log"), quit: syscall.SIGTERM,
		spawner: spawner, answers: d.answersClients,
		command: func() *exec.Cmd {
			command := exec.Command(config.Dendrite.Binary, "-config", configFile,
				"-http-bind-address", loopback(port), "-really-enable-open-registration")
			command.Dir = dir
			return command
		},
	}
	return d, nil
}

func writeDendriteConfig(file, keyFile string, config Config) error {
	registrations := config.Dendrite.Registrations
	if registrations == nil {
		registrations = []string{}
	}
	// The databases are in WAL mode: without it, a reader that a client has
	// given up blocks all writers, and Dendrite ends itself. It takes parameters
	// only of a whole path, with their question mark encoded.
	text, err := fill(dendriteTemplate, map[string]any{
		"Domain": config.Domain, "KeyFile": keyFile, "Registrations": registrations, "Dir": filepath.Dir(file),
	})
	if err != nil {
		return err
	}
	return os.WriteFile(file, []byte(text), 0o600)
}

// ensureSigningKey makes the server's ed25519 key once: events signed with an
// earlier key would not verify after a restart.
func ensureSigningKey(file string) error {
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	seed, id := make([]byte, 32), make([]byte, 3)
	// crypto/rand.Read never returns an error.
	_, _ = rand.Read(seed)
	_, _ = rand.Read(id)
	block := pem.Block{
		Type:    "MATRIX PRIVATE KEY",
		Headers: map[string]string{"Key-ID": "ed25519:" + hex.EncodeToString(id)},
		Bytes:   seed,
	}
	return os.WriteFile(file, pem.EncodeToMemory(&block), 0o600)
}

func (d *dendrite) answersClients(ctx context.Context) error {
	return answersOK(ctx, d.url+"/_matrix/client/versions")
}

// register makes an account; one that exists is left as it is.
func (d *dendrite) register(ctx context.Context, account Account) error {
	body, err := json.Marshal(map[string]any{
		"username": account.Localpart, "password": account.Password, "inhibit_login": true,
		"auth": map[string]string{"type": "m.login.dummy"},
	})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url+"/_matrix/client/v3/register", bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode == http.StatusOK || bytes.Contains(answer, []byte("M_USER_IN_USE")) {
		return nil
	}
	return fmt.Errorf("make the Matrix account %s: %s: %s", account.Localpart, response.Status, answer)
}
