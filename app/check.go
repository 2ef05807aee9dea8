package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"mailroom/appservice"
	"mailroom/config"
	"mailroom/store"
)

// checkTimeout bounds each question of `mailroom check`.
const checkTimeout = 10 * time.Second

// finding is one thing that was looked at: err says what is wrong and the mend;
// a note is nothing wrong, but to be known.
type finding struct {
	what string
	err  error
	note string
}

// RunCheck looks at everything that an installation needs and prints a line
// for each. The error says that something is wrong.
func RunCheck(ctx context.Context, load Load, log *slog.Logger, out io.Writer) error {
	c, err := load()
	findings := []finding{{what: "configuration", err: err}}
	if err == nil {
		findings = append(findings, lookAt(ctx, c, log)...)
	}
	wrong := 0
	for _, f := range findings {
		if f.note != "" {
			fmt.Fprintf(out, "note   %s: %s\n", f.what, f.note)
			continue
		}
		if f.err == nil {
			fmt.Fprintf(out, "ok     %s\n", f.what)
			continue
		}
		wrong++
		fmt.Fprintf(out, "WRONG  %s: %s\n", f.what, strings.ReplaceAll(f.err.Error(), "\n", "\n       "))
	}
	if wrong > 0 {
		return fmt.Errorf("%d of %d things are wrong; mend them and run check again", wrong, len(findings))
	}
	return nil
}

func lookAt(ctx context.Context, c config.Config, log *slog.Logger) []finding {
	findings := []finding{
		look(ctx, "database", func(ctx context.Context) error { return checkDatabase(ctx, c, log) }),
		look(ctx, "page at "+c.PublicURL, func(ctx context.Context) error { return checkPage(ctx, c) }),
	}
	findings = append(findings, lookAtNode(ctx, c)...)
	if c.HasMail() {
		findings = append(findings,
			look(ctx, "DNS of "+c.Mail.Domain, func(ctx context.Context) error { return checkMX(ctx, c) }),
			look(ctx, "smarthost", func(ctx context.Context) error { return checkSmarthost(ctx, c) }))
	}
	if c.HasMatrix() {
		findings = append(findings, look(ctx, "Matrix homeserver", func(ctx context.Context) error { return checkMatrix(ctx, c, log) }))
	}
	if c.HasXMPP() {
		findings = append(findings, look(ctx, "XMPP server", func(ctx context.Context) error { return checkXMPP(ctx, c) }))
	}
	return findings
}

func look(ctx context.Context, what string, at func(context.Context) error) finding {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	return finding{what: what, err: at(ctx)}
}

// lookAtNode looks at what is needed when there are several nodes.
func lookAtNode(ctx context.Context, c config.Config) []finding {
	switch {
	case c.Node.URL != "":
		return []finding{look(ctx, "node.url "+c.Node.URL, func(ctx context.Context) error { return checkNode(ctx, c) })}
	case !strings.HasPrefix(c.Database, "sqlite:"):
		return []finding{{what: "several nodes", note: "node.url is empty. One node needs none; with more, a session that is off the record works on the node alone " +
			"where it began, and people on the others are told that it does not answer. Give each node the address by which the others reach its web.listen"}}
	}
	return nil
}

func checkNode(ctx context.Context, c config.Config) error {
	return checkHealth(ctx, c.Node.URL, "give node.url the address by which the other nodes reach web.listen of this one ("+c.Web.Listen+")")
}

func checkDatabase(ctx context.Context, c config.Config, log *slog.Logger) (err error) {
	s, err := store.Open(ctx, c.Database, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	pending, err := s.Pending(ctx)
	if err == nil && pending {
		err = errors.New("its schema is older than this program. `mailroom serve` brings it up to date, or run: mailroom migrate")
	}
	return err
}

func checkPage(ctx context.Context, c config.Config) error {
	return checkHealth(ctx, c.PublicURL, "is the server running, and does your proxy lead public_url to web.listen ("+c.Web.Listen+")?")
}

// checkHealth asks a web address if Mailroom answers there.
func checkHealth(ctx context.Context, url, mend string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(url, "/")+"/healthz", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("%w: %s", err, mend)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s: %s", response.Status, mend)
	}
	return nil
}

// resolver is the one of dns.resolver, or the system's.
func resolver(c config.Config) *net.Resolver {
	if c.DNS.Resolver == "" {
		return net.DefaultResolver
	}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, c.DNS.Resolver)
	}}
}

func checkMX(ctx context.Context, c config.Config) error {
	mx, err := resolver(c).LookupMX(ctx, c.Mail.Domain)
	if err == nil && len(mx) == 0 {
		err = errors.New("there is none")
	}
	if err != nil {
		return fmt.Errorf("no MX record is found (%w). Add one that names the host of mail.smtp_listen or of the mail server in front of it", err)
	}
	return nil
}

func checkSmarthost(ctx context.Context, c config.Config) error {
	u, err := url.Parse(c.Mail.Smarthost)
	if err != nil || u.Host == "" {
		return errors.New("mail.smarthost: write smtp://host:25 or smtps://user:password@host")
	}
	address := u.Host
	if u.Port() == "" {
		address = net.JoinHostPort(u.Hostname(), map[string]string{"smtp": "25", "smtps": "465"}[u.Scheme])
	}
	return dial(ctx, address, "start the mail server that takes our outgoing mail, or correct mail.smarthost")
}

func checkMatrix(ctx context.Context, c config.Config, log *slog.Logger) error {
	g, err := appservice.New(appservice.Config(c.Matrix), nil, log)
	if err != nil {
		return err
	}
	return g.Check(ctx)
}

func checkXMPP(ctx context.Context, c config.Config) error {
	return dial(ctx, c.XMPP.Server, "start the XMPP server with its component listener, or correct xmpp.server; the secret is tried by `mailroom serve`, whose log says if it is refused")
}

func dial(ctx context.Context, address, mend string) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("%w: %s", err, mend)
	}
	return conn.Close()
}
