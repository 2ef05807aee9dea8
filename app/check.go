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

// finding is one thing that was looked at: err says what is wrong and the mend.
type finding struct {
	what string
	err  error
}

// RunCheck looks at everything that an installation needs and prints a line
// for each. The error says that something is wrong.
func RunCheck(ctx context.Context, load Load, log *slog.Logger, out io.Writer) error {
	c, err := load()
	findings := []finding{{"configuration", err}}
	if err == nil {
		findings = append(findings, lookAt(ctx, c, log)...)
	}
	wrong := 0
	for _, f := range findings {
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
		{"database", within(ctx, func(ctx context.Context) error { return checkDatabase(ctx, c, log) })},
		{"page at " + c.PublicURL, within(ctx, func(ctx context.Context) error { return checkPage(ctx, c) })},
	}
	if c.HasMail() {
		findings = append(findings,
			finding{"DNS of " + c.Mail.Domain, within(ctx, func(ctx context.Context) error { return checkMX(ctx, c) })},
			finding{"smarthost", within(ctx, func(ctx context.Context) error { return checkSmarthost(ctx, c) })})
	}
	if c.HasMatrix() {
		findings = append(findings, finding{"Matrix homeserver", within(ctx, func(ctx context.Context) error { return checkMatrix(ctx, c, log) })})
	}
	if c.HasXMPP() {
		findings = append(findings, finding{"XMPP server", within(ctx, func(ctx context.Context) error { return checkXMPP(ctx, c) })})
	}
	return findings
}

func within(ctx context.Context, look func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	return look(ctx)
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
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(c.PublicURL, "/")+"/healthz", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("%w. Is the server running, and does your proxy lead public_url to web.listen (%s)?", err, c.Web.Listen)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s. Lead public_url to web.listen (%s)", response.Status, c.Web.Listen)
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
