// Package config reads the configuration file and the environment. It knows
// the keys and their defaults, and what is wrong with a value; what a value
// means is the gateways' business.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
	"gopkg.in/yaml.v3"
)

// Config is the whole configuration. An empty Mail.Domain, Matrix.Homeserver
// or XMPP.Component leaves that gateway out.
type Config struct {
	PublicURL    string      `yaml:"public_url" env:"PUBLIC_URL"`
	Admins       []string    `yaml:"admins" env:"ADMINS"`
	Database     string      `yaml:"database" env:"DATABASE"`
	DatabaseFile string      `yaml:"database_file" env:"DATABASE_FILE"`
	DataDir      string      `yaml:"data_dir" env:"DATA_DIR"`
	Files        string      `yaml:"files" env:"FILES"`
	TLS          TLS         `yaml:"tls" envPrefix:"TLS_"`
	Node         Node        `yaml:"node" envPrefix:"NODE_"`
	DNS          DNS         `yaml:"dns" envPrefix:"DNS_"`
	Web          Web         `yaml:"web" envPrefix:"WEB_"`
	Join         Join        `yaml:"join" envPrefix:"JOIN_"`
	Transcripts  Transcripts `yaml:"transcripts" envPrefix:"TRANSCRIPTS_"`
	Limits       Limits      `yaml:"limits" envPrefix:"LIMITS_"`
	Mail         Mail        `yaml:"mail" envPrefix:"MAIL_"`
	Initiators   Initiators  `yaml:"initiators" envPrefix:"INITIATORS_"`
	Directory    []Mapping   `yaml:"directory"`
	Matrix       Matrix      `yaml:"matrix" envPrefix:"MATRIX_"`
	XMPP         XMPP        `yaml:"xmpp" envPrefix:"XMPP_"`
	Translate    Translate   `yaml:"translate" envPrefix:"TRANSLATE_"`
	Metrics      Metrics     `yaml:"metrics" envPrefix:"METRICS_"`
}

type TLS struct {
	CertFile string `yaml:"cert_file" env:"CERT_FILE"`
	KeyFile  string `yaml:"key_file" env:"KEY_FILE"`
}

// Node is set when several nodes share one PostgreSQL: all have the same Secret,
// and each a URL of its own by which the others reach its web listener.
type Node struct {
	URL        string `yaml:"url" env:"URL"`
	Secret     string `yaml:"secret" env:"SECRET"`
	SecretFile string `yaml:"secret_file" env:"SECRET_FILE"`
}

type DNS struct {
	Resolver string `yaml:"resolver" env:"RESOLVER"`
}

type Web struct {
	Listen         string   `yaml:"listen" env:"LISTEN"`
	TrustedProxies []string `yaml:"trusted_proxies" env:"TRUSTED_PROXIES"`
}

type Join struct {
	Code string `yaml:"code" env:"CODE"`
}

// Transcripts says how long messages are kept where a session does not say less.
type Transcripts struct {
	KeepFor Period `yaml:"keep_for" env:"KEEP_FOR"`
}

// Limits hold off abuse. 0 is no limit; all but MemberMessages, which is for a
// minute, are for a day.
type Limits struct {
	InitiatorSessions    int `yaml:"initiator_sessions" env:"INITIATOR_SESSIONS"`
	InitiatorInvitations int `yaml:"initiator_invitations" env:"INITIATOR_INVITATIONS"`
	NetworkSessions      int `yaml:"network_sessions" env:"NETWORK_SESSIONS"`
	PairInvitations      int `yaml:"pair_invitations" env:"PAIR_INVITATIONS"`
	RecipientInvitations int `yaml:"recipient_invitations" env:"RECIPIENT_INVITATIONS"`
	MemberMessages       int `yaml:"member_messages" env:"MEMBER_MESSAGES"`
}

type Mail struct {
	Domain            string        `yaml:"domain" env:"DOMAIN"`
	From              string        `yaml:"from" env:"FROM"`
	SMTPListen        string        `yaml:"smtp_listen" env:"SMTP_LISTEN"`
	LMTPListen        string        `yaml:"lmtp_listen" env:"LMTP_LISTEN"`
	SubmissionListen  string        `yaml:"submission_listen" env:"SUBMISSION_LISTEN"`
	TrustedAuthservID string        `yaml:"trusted_authserv_id" env:"TRUSTED_AUTHSERV_ID"`
	Smarthost         string        `yaml:"smarthost" env:"SMARTHOST"`
	SmarthostFile     string        `yaml:"smarthost_file" env:"SMARTHOST_FILE"`
	DKIM              DKIM          `yaml:"dkim" envPrefix:"DKIM_"`
	MissedAfter       time.Duration `yaml:"missed_after" env:"MISSED_AFTER"`
	NativeWait        time.Duration `yaml:"native_wait" env:"NATIVE_WAIT"`
	AMP               bool          `yaml:"amp" env:"AMP"`
}

type DKIM struct {
	Domain   string `yaml:"domain" env:"DOMAIN"`
	Selector string `yaml:"selector" env:"SELECTOR"`
	KeyFile  string `yaml:"key_file" env:"KEY_FILE"`
}

type Initiators struct {
	Allow []string `yaml:"allow" env:"ALLOW"`
}

type Mapping struct {
	Email  string `yaml:"email"`
	Matrix string `yaml:"matrix"`
	XMPP   string `yaml:"xmpp"`
}

type Matrix struct {
	Homeserver   string `yaml:"homeserver" env:"HOMESERVER"`
	Domain       string `yaml:"domain" env:"DOMAIN"`
	Registration string `yaml:"registration" env:"REGISTRATION"`
	Listen       string `yaml:"listen" env:"LISTEN"`
}

type XMPP struct {
	Component  string   `yaml:"component" env:"COMPONENT"`
	Server     string   `yaml:"server" env:"SERVER"`
	Secret     string   `yaml:"secret" env:"SECRET"`
	SecretFile string   `yaml:"secret_file" env:"SECRET_FILE"`
	Domains    []string `yaml:"domains" env:"DOMAINS"`
	Anonymity  string   `yaml:"anonymity" env:"ANONYMITY"`
	Account    Account  `yaml:"account" envPrefix:"ACCOUNT_"`
}

type Account struct {
	JID      string `yaml:"jid" env:"JID"`
	Password string `yaml:"password" env:"PASSWORD"`
	MUC      string `yaml:"muc" env:"MUC"`
}

type Translate struct {
	Provider string `yaml:"provider" env:"PROVIDER"`
}

type Metrics struct {
	Listen string `yaml:"listen" env:"LISTEN"`
}

// Default is the configuration before the file is read.
func Default() Config {
	return Config{
		Database: "sqlite:mailroom.db",
		DataDir:  ".",
		Web:      Web{Listen: "127.0.0.1:8080"},
		Join:     Join{Code: "further"},
		Limits: Limits{
			InitiatorSessions: 100, InitiatorInvitations: 1000, NetworkSessions: 1000,
			PairInvitations: 20, RecipientInvitations: 50, MemberMessages: 1200,
		},
		Mail: Mail{
			Smarthost:   "smtp://127.0.0.1:25",
			MissedAfter: 2 * time.Minute, NativeWait: 10 * time.Minute,
		},
		Matrix:    Matrix{Registration: "registration.yaml", Listen: "127.0.0.1:29300"},
		XMPP:      XMPP{Server: "127.0.0.1:5347", Anonymity: "auto"},
		Translate: Translate{Provider: "none"},
	}
}

// Load reads the file, then the environment (MAILROOM_WEB_LISTEN for
// web.listen), then the files that hold secrets, and checks everything. Relative
// paths in it count from the file's folder. Errors are sentences that name the
// key and the mend, all of them at once.
func Load(file string) (Config, error) {
	c := Default()
	text, err := os.ReadFile(file)
	if err != nil {
		return c, fmt.Errorf("cannot read the configuration: %w. Make one with: mailroom config init -c %s", err, file)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		return c, fmt.Errorf("%s: %w. Every key stands in the file that `mailroom config init` writes", file, explain(err))
	}
	if err := env.ParseWithOptions(&c, env.Options{Prefix: "MAILROOM_"}); err != nil {
		return c, fmt.Errorf("environment: %w", err)
	}
	c.resolvePaths(filepath.Dir(file))
	if err := c.readSecrets(); err != nil {
		return c, err
	}
	return c, c.check()
}

// readSecrets fills the keys whose value lies in a file of its own.
func (c *Config) readSecrets() error {
	for _, s := range []struct {
		key, file string
		value     *string
	}{
		{"database", c.DatabaseFile, &c.Database},
		{"node.secret", c.Node.SecretFile, &c.Node.Secret},
		{"mail.smarthost", c.Mail.SmarthostFile, &c.Mail.Smarthost},
		{"xmpp.secret", c.XMPP.SecretFile, &c.XMPP.Secret},
	} {
		if s.file == "" {
			continue
		}
		text, err := os.ReadFile(s.file)
		if err != nil {
			return fmt.Errorf("%s_file: %w", s.key, err)
		}
		*s.value = string(bytes.TrimSpace(text))
	}
	return nil
}

// resolvePaths makes relative paths count from the configuration's folder.
func (c *Config) resolvePaths(dir string) {
	for _, p := range []*string{
		&c.DataDir, &c.TLS.CertFile, &c.TLS.KeyFile, &c.Mail.DKIM.KeyFile, &c.Matrix.Registration,
		&c.DatabaseFile, &c.Node.SecretFile, &c.Mail.SmarthostFile, &c.XMPP.SecretFile,
	} {
		*p = under(dir, *p)
	}
	for scheme, p := range map[string]*string{"sqlite:": &c.Database, "unix:": &c.Mail.LMTPListen} {
		if path, ok := strings.CutPrefix(*p, scheme); ok {
			*p = scheme + under(dir, path)
		}
	}
}

func under(dir, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}
