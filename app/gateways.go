package app

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"

	"mailroom/appservice"
	"mailroom/bridge"
	"mailroom/bridge/outbox"
	"mailroom/mailin"
	"mailroom/mailout"
	"mailroom/webui"
	"mailroom/xmpp"
)

// gateways are the ways in and out; those that are switched off are nil.
type gateways struct {
	web    *webui.Server
	mail   *mailin.Server
	sender *mailout.Sender
	matrix *appservice.Gateway
	xmpp   *xmpp.Component
}

func (a *App) makeGateways() error {
	certificate, err := a.certificate()
	if err != nil {
		return err
	}
	var caught http.Handler
	if a.config.HasMail() {
		if caught, err = a.makeMail(certificate); err != nil {
			return err
		}
	}
	if a.config.HasMatrix() {
		if a.gateways.matrix, err = appservice.New(a.matrixConfig(), a.service, a.log.With("gateway", "matrix")); err != nil {
			return err
		}
	}
	if a.config.HasXMPP() {
		if a.gateways.xmpp, err = xmpp.New(a.xmppConfig(), a.service, a.log.With("gateway", "xmpp")); err != nil {
			return err
		}
	}
	peers, err := a.servePeers()
	if err != nil {
		return err
	}
	a.gateways.web, err = webui.New(webui.Config{
		Listen: a.config.Web.Listen, PublicURL: a.config.PublicURL, TrustedProxies: a.config.Web.TrustedProxies,
		TLS: certificate, Ready: a.store.Ping, Outbox: caught, Registerer: a.registry, Peers: peers,
	}, a.service, a.log.With("gateway", "web"))
	return err
}

func (a *App) certificate() (*tls.Config, error) {
	if a.config.TLS.CertFile == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(a.config.TLS.CertFile, a.config.TLS.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}

// makeMail makes both directions of mail. On somebody's own machine (`mailroom
// local`) outgoing mail is caught, and caught serves it.
func (a *App) makeMail(certificate *tls.Config) (caught http.Handler, err error) {
	m := a.config.Mail
	log := a.log.With("gateway", "mail")
	a.gateways.mail, err = mailin.New(mailin.Config{
		Domain: m.Domain, SMTPListen: m.SMTPListen, LMTPListen: m.LMTPListen, SubmissionListen: m.SubmissionListen,
		TrustedAuthservID: m.TrustedAuthservID, OwnDomains: a.ownDomains(), Resolver: a.config.DNS.Resolver, TLS: certificate,
	}, a.service, log)
	if err != nil {
		return nil, err
	}
	a.gateways.sender, err = mailout.New(mailout.Config{
		PublicURL: a.config.PublicURL, Domain: m.Domain, From: m.From, Smarthost: m.Smarthost,
		DKIM: mailout.DKIM(m.DKIM),
	}, log)
	if err != nil {
		return nil, err
	}
	var sender outbox.Sender = a.gateways.sender
	if a.options.Local {
		c, err := newCatcher(filepath.Join(a.config.DataDir, "outbox"), a.gateways.sender)
		if err != nil {
			return nil, fmt.Errorf("data_dir: %w", err)
		}
		sender, caught = c, webui.DevOutbox(c.list)
	}
	a.mails = outbox.NewMails(a.store, a.service, sender, a.name, log)
	return caught, nil
}

// ownDomains are those whose every address may start sessions by mail: the
// operator's own, which nobody outside may use.
func (a *App) ownDomains() (domains []string) {
	for _, pattern := range a.config.Initiators.Allow {
		if domain, ok := strings.CutPrefix(pattern, "*@"); ok {
			domains = append(domains, domain)
		}
	}
	return domains
}

func (a *App) matrixConfig() appservice.Config {
	return appservice.Config(a.config.Matrix)
}

func (a *App) xmppConfig() xmpp.Config {
	x := a.config.XMPP
	var detach context.CancelFunc
	return xmpp.Config{
		Component: x.Component, Server: x.Server, Secret: x.Secret, Domains: x.Domains, Anonymity: x.Anonymity,
		// Lanes flow only while the link works: what waits meanwhile is no failure.
		OnConnect: func() {
			var ctx context.Context
			ctx, detach = context.WithCancel(context.Background())
			a.outbox.AttachSole(ctx, bridge.XMPP, a.gateways.xmpp)
		},
		OnDisconnect: func() { detach() },
	}
}

// listen binds every listener, so that what cannot be bound is known at once.
func (g gateways) listen() error {
	listeners := []func() error{g.web.Listen}
	if g.mail != nil {
		listeners = append(listeners, g.mail.Listen)
	}
	if g.matrix != nil {
		listeners = append(listeners, g.matrix.Listen)
	}
	for _, listen := range listeners {
		if err := listen(); err != nil {
			return err
		}
	}
	return nil
}

// tasks are what runs on every node, whoever holds which lease.
func (g gateways) tasks() []func(context.Context) error {
	tasks := []func(context.Context) error{g.web.Run}
	if g.mail != nil {
		tasks = append(tasks, g.mail.Run)
	}
	if g.matrix != nil {
		tasks = append(tasks, g.matrix.Run)
	}
	return tasks
}
