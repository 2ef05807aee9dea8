package config

import (
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"regexp"
	"strings"
	"time"
)

var unknownKey = regexp.MustCompile(`line (\d+): field (\S+) not found in type config\.(\w+)`)

// explain puts the words of the YAML library into ours.
func explain(err error) error {
	var lines []string
	for _, line := range strings.Split(err.Error(), "\n") {
		line = strings.TrimSpace(line)
		if m := unknownKey.FindStringSubmatch(line); m != nil {
			line = fmt.Sprintf("line %s: there is no key %q here; is it a typo, or in the wrong block?", m[1], m[2])
		}
		if line != "yaml: unmarshal errors:" {
			lines = append(lines, strings.TrimPrefix(line, "yaml: "))
		}
	}
	return errors.New(strings.Join(lines, "; "))
}

// HasMail, HasMatrix and HasXMPP say if a gateway is switched on.
func (c Config) HasMail() bool   { return c.Mail.Domain != "" }
func (c Config) HasMatrix() bool { return c.Matrix.Homeserver != "" }
func (c Config) HasXMPP() bool   { return c.XMPP.Component != "" }

// check finds what is wrong, all of it at once.
func (c Config) check() error {
	var p problems
	p.webURL("public_url", c.PublicURL)
	if c.DataDir == "" {
		p.add("data_dir", "is empty", "name a folder that mailroom may write to, as /var/lib/mailroom")
	}
	if c.Files != "" && !strings.HasPrefix(c.Files, "file:") {
		p.add("files", "is "+c.Files, "write file:FOLDER; other places are not available in this version")
	}
	if (c.TLS.CertFile == "") != (c.TLS.KeyFile == "") {
		p.add("tls", "has only one of cert_file and key_file", "give both, or neither behind a proxy")
	}
	c.checkNode(&p)
	p.listen("web.listen", c.Web.Listen, true)
	p.listen("metrics.listen", c.Metrics.Listen, false)
	p.listen("dns.resolver", c.DNS.Resolver, false)
	if c.Join.Code != "further" && c.Join.Code != "always" {
		p.add("join.code", "is "+c.Join.Code, "write further, or always if the first browser shall need a mailed code, too")
	}
	if k := time.Duration(c.Transcripts.KeepFor); k != 0 && (k < minKeepFor || k > maxKeepFor) {
		p.add("transcripts.keep_for", "is "+k.String(), "write an hour at the least and a hundred years at the most, as 90d; 0 keeps for ever")
	}
	c.checkLimits(&p)
	if c.Translate.Provider != "none" {
		p.add("translate.provider", "is "+c.Translate.Provider, "write none; translators are not available in this version")
	}
	if len(c.Initiators.Allow) == 0 {
		p.add("initiators.allow", "is empty, so nobody could start a session", `list who may, as ["*@example.org"]`)
	}
	c.checkMail(&p)
	c.checkMatrix(&p)
	c.checkXMPP(&p)
	return p.err()
}

// The bounds of transcripts.keep_for are those of a session's own.
const (
	minKeepFor = time.Hour
	maxKeepFor = 100 * 365 * 24 * time.Hour
)

// checkNode refuses settings for several nodes that are half set.
func (c Config) checkNode(p *problems) {
	if c.Node.Secret != "" && len(c.Node.Secret) < 32 {
		p.add("node.secret", "is shorter than 32 characters", "make one with: openssl rand -hex 32")
	}
	if c.Node.URL == "" {
		return
	}
	p.webURL("node.url", c.Node.URL)
	if c.Node.Secret == "" {
		p.add("node.secret", "is missing", "several nodes need the same secret; make one with: openssl rand -hex 32")
	}
	if strings.HasPrefix(c.Database, "sqlite:") {
		p.add("node.url", "is set, but a SQLite file has one node", "leave it out, or let database name a PostgreSQL that all nodes share")
	}
}

func (c Config) checkLimits(p *problems) {
	for _, l := range []struct {
		key string
		max int
	}{
		{"initiator_sessions", c.Limits.InitiatorSessions}, {"initiator_invitations", c.Limits.InitiatorInvitations},
		{"network_sessions", c.Limits.NetworkSessions}, {"pair_invitations", c.Limits.PairInvitations},
		{"recipient_invitations", c.Limits.RecipientInvitations}, {"member_messages", c.Limits.MemberMessages},
	} {
		if l.max < 0 {
			p.add("limits."+l.key, fmt.Sprintf("is %d", l.max), "write how many may be, or 0 for no limit")
		}
	}
}

func (c Config) checkMail(p *problems) {
	if !c.HasMail() {
		return
	}
	if strings.ContainsAny(c.Mail.Domain, "@ /") {
		p.add("mail.domain", "is "+c.Mail.Domain, "write a domain alone, as in.example.org")
	}
	if _, err := mail.ParseAddress(c.Mail.From); err != nil {
		p.add("mail.from", fmt.Sprintf("is %q", c.Mail.From), `write the sender of all mails, as "Mailroom <invite@chat.example.org>"`)
	}
	p.listen("mail.smtp_listen", c.Mail.SMTPListen, false)
	p.listen("mail.submission_listen", c.Mail.SubmissionListen, false)
	if !strings.HasPrefix(c.Mail.LMTPListen, "unix:") {
		p.listen("mail.lmtp_listen", c.Mail.LMTPListen, false)
	}
	if c.Mail.AMP {
		p.add("mail.amp", "is true", "write false; the AMP part is not available in this version")
	}
	if c.Mail.MissedAfter <= 0 || c.Mail.NativeWait < 0 {
		p.add("mail.missed_after", "or mail.native_wait is not a time", "write times as 2m or 90s")
	}
}

func (c Config) checkMatrix(p *problems) {
	if !c.HasMatrix() {
		return
	}
	p.webURL("matrix.homeserver", c.Matrix.Homeserver)
	if c.Matrix.Domain == "" {
		p.add("matrix.domain", "is empty", "write the homeserver's server name, as example.org")
	}
	p.listen("matrix.listen", c.Matrix.Listen, true)
}

func (c Config) checkXMPP(p *problems) {
	if c.XMPP.Account != (Account{}) {
		p.add("xmpp.account", "is set", "leave it out and use xmpp.component; the account mode is not available in this version")
	}
	if !c.HasXMPP() {
		return
	}
	p.listen("xmpp.server", c.XMPP.Server, true)
	if c.XMPP.Secret == "" {
		p.add("xmpp.secret", "is empty", "write the component's secret as it stands in the XMPP server's configuration")
	}
}

// problems gathers sentences: what is wrong with which key, and the mend.
type problems []error

func (p *problems) add(key, what, mend string) {
	*p = append(*p, fmt.Errorf("%s %s: %s", key, what, mend))
}

func (p *problems) listen(key, value string, needed bool) {
	if value == "" && !needed {
		return
	}
	if _, _, err := net.SplitHostPort(value); err != nil {
		p.add(key, fmt.Sprintf("is %q", value), "write an address and a port, as 127.0.0.1:8080")
	}
}

func (p *problems) webURL(key, value string) {
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		p.add(key, fmt.Sprintf("is %q", value), "write a whole web address, as https://chat.example.org")
	}
}

func (p problems) err() error { return errors.Join(p...) }
