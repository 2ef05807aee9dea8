package mailin

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/emersion/go-smtp"
	"golang.org/x/sync/errgroup"

	"mailroom/bridge"
)

// Server takes mail in. Make it with New, bind it with Listen, serve with Run.
type Server struct {
	config   Config
	service  Service
	log      *slog.Logger
	resolver resolver
	doors    []*door
	buffers  *buffers
	parsers  chan struct{} // a slot for each MIME tree that is being parsed
}

// door is one listener and the protocol that is spoken there.
type door struct {
	kind     doorKind
	address  string
	listener net.Listener
	guard    *guard
	smtp     *smtp.Server
}

type doorKind string

const (
	smtpDoor       doorKind = "smtp"
	lmtpDoor       doorKind = "lmtp"
	submissionDoor doorKind = "submission"
)

// New checks the configuration. Its errors name the key and the mend.
func New(cfg Config, service Service, log *slog.Logger) (*Server, error) {
	cfg, err := cfg.checked()
	if err != nil {
		return nil, err
	}
	s := &Server{
		config: cfg, service: service, log: log, resolver: newResolver(cfg.Resolver),
		buffers: newBuffers(cfg.Limits),
		parsers: make(chan struct{}, 2*runtime.GOMAXPROCS(0)),
	}
	for _, d := range []*door{
		{kind: smtpDoor, address: cfg.SMTPListen},
		{kind: lmtpDoor, address: cfg.LMTPListen},
		{kind: submissionDoor, address: cfg.SubmissionListen},
	} {
		if d.address != "" {
			d.smtp = s.protocol(d)
			s.doors = append(s.doors, d)
		}
	}
	return s, nil
}

// protocol makes the SMTP or LMTP server of a door.
func (s *Server) protocol(d *door) *smtp.Server {
	l := s.config.Limits
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return s.newSession(d, c), nil
	}))
	server.Domain = s.config.Domain
	server.LMTP = d.kind == lmtpDoor
	server.TLSConfig = s.config.TLS
	server.MaxMessageBytes = l.MessageBytes
	server.MaxLineLength = l.LineBytes
	server.MaxRecipients = l.Recipients
	if d.kind == submissionDoor {
		server.MaxRecipients += bridge.MaxRecipients // mail programs name the people of a session, too
	}
	server.ReadTimeout = l.ReadTimeout
	server.WriteTimeout = time.Minute
	server.EnableSMTPUTF8 = true
	server.AllowInsecureAuth = true // the session decides: TLS or loopback only
	server.ErrorLog = slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)
	return server
}

// Listen binds every listener.
func (s *Server) Listen() error {
	for _, d := range s.doors {
		if err := s.bind(d); err != nil {
			s.close()
			return fmt.Errorf("mail.%s_listen: cannot listen at %s (is it in use, or may this user not use it?): %w", d.kind, d.address, err)
		}
	}
	return nil
}

func (s *Server) bind(d *door) error {
	inner, err := listen(d.address)
	if err != nil {
		return err
	}
	d.guard = newGuard(inner, s.config.Limits)
	d.listener = d.guard
	if d.kind == submissionDoor && strings.HasSuffix(d.address, ":465") { // RFC 8314 §3.3
		d.listener = tls.NewListener(d.listener, s.config.TLS)
	}
	return nil
}

// socketMode lets the group of a unix socket, to which the front MTA is added, use it.
const socketMode = 0o660

func listen(address string) (net.Listener, error) {
	path, isUnix := strings.CutPrefix(address, "unix:")
	if !isUnix {
		return net.Listen("tcp", address)
	}
	if err := removeStaleSocket(path); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, socketMode); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// removeStaleSocket removes the socket of a process that was killed. One that
// answers belongs to another that runs, and what is no socket is not ours.
func removeStaleSocket(path string) error {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&os.ModeSocket == 0 {
		return nil
	}
	if c, err := net.Dial("unix", path); err == nil {
		return errors.Join(fmt.Errorf("another process answers at %s", path), c.Close())
	}
	return os.Remove(path)
}

// addr is the address that a door is bound to, or nil.
func (s *Server) addr(kind doorKind) net.Addr {
	for _, d := range s.doors {
		if d.kind == kind && d.listener != nil {
			return d.listener.Addr()
		}
	}
	return nil
}

// Addr is the address of the SMTP listener, LMTPAddr and SubmissionAddr those of
// the others; nil if there is none.
func (s *Server) Addr() net.Addr           { return s.addr(smtpDoor) }
func (s *Server) LMTPAddr() net.Addr       { return s.addr(lmtpDoor) }
func (s *Server) SubmissionAddr() net.Addr { return s.addr(submissionDoor) }

// shutdownTime is how long mails that are being received may take at the end.
const shutdownTime = 5 * time.Second

// Run serves until ctx ends and returns nil then. Mails that are under way get a
// few seconds; what is cut off was not answered, and comes again.
func (s *Server) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, d := range s.doors {
		group.Go(func() error {
			s.log.Info("mail comes in", "at", d.listener.Addr().String(), "protocol", string(d.kind))
			if err := d.smtp.Serve(d.listener); err != nil && ctx.Err() == nil {
				return fmt.Errorf("serve mail.%s_listen: %w", d.kind, err)
			}
			return nil
		})
		group.Go(func() error {
			<-ctx.Done()
			d.stop()
			return nil
		})
	}
	return group.Wait()
}

// stop cuts who is not being answered at once (they try again), lets go-smtp
// finish with the others, and cuts those that stay: it does not do so itself.
func (d *door) stop() {
	_ = d.listener.Close() // by ourselves: go-smtp forgets a listener that it has not begun to serve
	d.guard.closeIdle()
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	if err := d.smtp.Shutdown(ctx); err != nil {
		d.guard.closeAll()
	}
}

func (s *Server) close() {
	for _, d := range s.doors {
		if d.listener != nil {
			_ = d.listener.Close() // nothing was accepted yet
		}
	}
}
