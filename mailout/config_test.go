package mailout

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWrongConfigurationNamesItsKey(t *testing.T) {
	for _, tt := range []struct {
		key    string
		change func(*Config)
	}{
		{"public_url", func(c *Config) { c.PublicURL = "chat.example.org" }},
		{"public_url", func(c *Config) { c.PublicURL = "" }},
		{"mail.from", func(c *Config) { c.From = "nobody" }},
		{"mail.domain", func(c *Config) { c.Domain = "" }},
		{"mail.domain", func(c *Config) { c.Domain = "new@in.example.org" }},
		{"mail.smarthost", func(c *Config) { c.Smarthost = "" }},
		{"mail.smarthost", func(c *Config) { c.Smarthost = "127.0.0.1:25" }},
		{"mail.smarthost", func(c *Config) { c.Smarthost = "http://mail.test" }},
		{"mail.smarthost", func(c *Config) { c.Smarthost = "smtp://user:secret@:25" }},
		{"mail.dkim", func(c *Config) { c.DKIM = DKIM{KeyFile: "key.pem"} }},
		{"mail.dkim: key_file", func(c *Config) { c.DKIM = DKIM{Domain: "d", Selector: "s", KeyFile: "testdata/none.pem"} }},
	} {
		cfg := testConfig("smtp://127.0.0.1:25")
		tt.change(&cfg)
		_, err := New(cfg, slog.New(slog.DiscardHandler))
		require.ErrorContains(t, err, tt.key)
		require.NotContains(t, err.Error(), "secret")
	}
}

func TestSmarthostPorts(t *testing.T) {
	for url, want := range map[string]string{
		"smtp://mail.test":             "mail.test:25",
		"smtp://mail.test:2525/":       "mail.test:2525",
		"smtp://user:p%40ss@mail.test": "mail.test:587",
		"smtps://user:pass@mail.test":  "mail.test:465",
		"smtps://mail.test:10465":      "mail.test:10465",
		"smtp://[::1]":                 "[::1]:25",
	} {
		h, err := parseSmarthost(url)
		require.NoError(t, err)
		require.Equal(t, want, h.address)
	}
	h, err := parseSmarthost("smtp://user:p%40ss@mail.test")
	require.NoError(t, err)
	require.Equal(t, "p@ss", h.password)
}

func TestProductNameIsThatOfFrom(t *testing.T) {
	cfg := testConfig("smtp://127.0.0.1:25")
	cfg.From = "invite@chat.example.org"
	require.Equal(t, "Mailroom", newSender(t, cfg).settings.from.Name)
}
