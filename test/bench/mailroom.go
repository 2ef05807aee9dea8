package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"mailroom/bridge"

	"gopkg.in/yaml.v3"
)

const (
	componentHost   = "rooms." + domain
	componentSecret = "a secret of the component"
	alice           = "alice@" + domain
	newSession      = "new@in." + domain
)

// directory says who has an account where.
var directory = []bridge.Mapping{
	{Email: "mia@" + domain, Matrix: "@{localpart}:" + domain},
	{Email: "xena@" + domain, XMPP: "{localpart}@" + domain},
}

// mailroom is the program under measurement, on a SQLite file.
type mailroom struct {
	child
	dir          string
	url          string
	submission   string
	registration string
	settings     map[string]any
}

// newMailroom writes the configuration and the registration; nothing runs yet.
func newMailroom(ctx context.Context, dir, smarthost string) (*mailroom, error) {
	binary, err := program("MAILROOM_BINARY")
	if err != nil {
		return nil, err
	}
	var ports [4]string
	for i := range ports {
		if ports[i], err = freeAddress(); err != nil {
			return nil, err
		}
	}
	web, submission, smtp, matrix := ports[0], ports[1], ports[2], ports[3]
	m := &mailroom{dir: dir, url: "http://" + web, submission: submission, registration: filepath.Join(dir, "registration.yaml")}
	m.child = child{name: "mailroom", path: binary, args: []string{"serve", "-c", m.config()}, log: filepath.Join(dir, "mailroom.log")}
	m.settings = map[string]any{
		"public_url": m.url, "web": map[string]any{"listen": web},
		"database": "sqlite:" + m.database(), "data_dir": filepath.Join(dir, "data"),
		"initiators": map[string]any{"allow": []string{"*@" + domain}},
		"limits": map[string]any{
			"initiator_sessions": 0, "initiator_invitations": 0, "network_sessions": 0,
			"pair_invitations": 0, "recipient_invitations": 0, "member_messages": 0,
		},
		"directory": directory,
		"mail": map[string]any{
			"domain": "in." + domain, "from": "Mailroom <invite@chat." + domain + ">", "smtp_listen": smtp,
			"submission_listen": submission, "smarthost": "smtp://" + smarthost,
			"missed_after": "1h", "native_wait": "1h", // no mail falls due while we measure
		},
		"matrix": map[string]any{"homeserver": "http://127.0.0.1:1", "domain": domain, "registration": m.registration, "listen": matrix},
	}
	if err := m.write(); err != nil {
		return nil, err
	}
	_, err = m.run(ctx, "registration")
	return m, err
}

// connect tells the program where its peers are.
func (m *mailroom) connect(homeserver, component string) error {
	m.settings["matrix"].(map[string]any)["homeserver"] = homeserver
	m.settings["xmpp"] = map[string]any{
		"component": componentHost, "server": component, "secret": componentSecret, "domains": []string{domain},
	}
	return m.write()
}

func (m *mailroom) config() string   { return filepath.Join(m.dir, "mailroom.yaml") }
func (m *mailroom) database() string { return filepath.Join(m.dir, "mailroom.db") }

func (m *mailroom) write() error {
	text, err := yaml.Marshal(m.settings)
	if err != nil {
		return err
	}
	return os.WriteFile(m.config(), text, 0o600)
}

// run runs one of the program's other commands and returns what it prints.
func (m *mailroom) run(ctx context.Context, args ...string) (string, error) {
	return output(ctx, m.path, append(args, "-c", m.config())...)
}

// startReady starts the server and returns when /readyz says so, and how long
// that took.
func (m *mailroom) startReady(ctx context.Context) (took time.Duration, err error) {
	began := time.Now()
	if err := m.start(); err != nil {
		return 0, err
	}
	err = eventually(ctx, patience, func() error {
		response, err := client.Get(m.url + "/readyz")
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return errors.New("/readyz answers " + response.Status)
		}
		return nil
	})
	return time.Since(began), m.failed(err)
}

// password gives alice an account for sending mail.
func (m *mailroom) password(ctx context.Context) (string, error) {
	secret, err := m.run(ctx, "account", "add", alice)
	if err == nil && secret == "" {
		err = fmt.Errorf("no password for %s", alice)
	}
	return secret, err
}
