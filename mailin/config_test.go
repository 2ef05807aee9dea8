package mailin

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestErrorsInTheConfigurationNameTheKey(t *testing.T) {
	good := Config{Domain: "in.example.org", SMTPListen: "127.0.0.1:0"}
	for want, change := range map[string]func(*Config){
		"mail.domain: ":                              func(c *Config) { c.Domain = "" },
		"mail.domain: \"new@x\"":                     func(c *Config) { c.Domain = "new@x" },
		"mail.smtp_listen: no way":                   func(c *Config) { c.SMTPListen = "" },
		"mail.smtp_listen: \"2525\"":                 func(c *Config) { c.SMTPListen = "2525" },
		"mail.submission_listen: \"a b\"":            func(c *Config) { c.SubmissionListen = "a b" },
		"mail.submission_listen: port 465 needs TLS": func(c *Config) { c.SubmissionListen = "127.0.0.1:465" },
		"mail.lmtp_listen: \"/run/x\"":               func(c *Config) { c.LMTPListen = "/run/x" },
		"dns.resolver: ":                             func(c *Config) { c.Resolver = "9.9.9.9" },
	} {
		c := good
		change(&c)
		_, err := New(c, newService(), quiet)
		require.ErrorContains(t, err, want)
	}
	_, err := New(good, newService(), quiet)
	require.NoError(t, err)
}

func TestPortInUseIsNamed(t *testing.T) {
	b := start(t)
	second, err := New(Config{Domain: "in.example.org", SMTPListen: b.Addr().String()}, newService(), quiet)
	require.NoError(t, err)
	require.ErrorContains(t, second.Listen(), "mail.smtp_listen: cannot listen at "+b.Addr().String())
}
