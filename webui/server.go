package webui

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"mailroom/locales"
)

// Limits of the HTTP server.
const (
	// MaxHeader is the most bytes of a request's header.
	MaxHeader = 32 << 10
	// MaxRequest is the most bytes of a request's body: the longest message, each byte escaped as %XX, and what is beside it.
	MaxRequest = 1 << 20
	// requestTime is how long a request may take to arrive, and its answer to be taken; streams set their own deadlines.
	requestTime = 30 * time.Second
	headerTime  = 10 * time.Second
	idleTime    = 2 * time.Minute
	// shutdownTime is how long running requests may take to end after Run was told to.
	shutdownTime = 5 * time.Second
)

// Server is the web gateway.
type Server struct {
	config    settings
	service   Service
	log       *slog.Logger
	sentences *locales.Catalogue
	static    *staticFiles
	meters    *meters
	guesses   *bucket // wrong tokens
	asks      *bucket // sign-in links that were asked for
	streams   *streams
	handler   http.Handler
	listener  net.Listener
	stopping  chan struct{} // closed when streams must end
	stopOnce  sync.Once
}

// New makes the gateway. An error names the key of the configuration and what to write there.
func New(config Config, service Service, log *slog.Logger) (*Server, error) {
	checked, err := config.check()
	if err != nil {
		return nil, err
	}
	s := &Server{
		config: checked, service: service, log: log, sentences: locales.Default(), static: embeddedStatic(),
		guesses: newBucket(MaxGuesses, guessWindow), asks: newBucket(MaxAsks, askWindow), streams: newStreams(), stopping: make(chan struct{}),
	}
	if s.meters, err = newMeters(config.Registerer); err != nil {
		return nil, fmt.Errorf("register the metrics of the web gateway: %w", err)
	}
	if s.handler, err = s.routes(); err != nil {
		return nil, err
	}
	return s, nil
}

// Handler is everything that the gateway serves, without a listener.
func (s *Server) Handler() http.Handler { return s.handler }

// Listen binds the address of the configuration.
func (s *Server) Listen() error {
	listener, err := net.Listen("tcp", s.config.Listen)
	if err != nil {
		return fmt.Errorf("web.listen: %w; is another program using this address?", err)
	}
	s.listener = listener
	return nil
}

// Addr is where Listen has bound.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Run serves until ctx ends and returns nil then. Call Listen before.
func (s *Server) Run(ctx context.Context) error {
	server := &http.Server{
		Handler: s.handler, TLSConfig: s.config.TLS, MaxHeaderBytes: MaxHeader, ReadHeaderTimeout: headerTime,
		ReadTimeout: requestTime, WriteTimeout: requestTime, IdleTimeout: idleTime,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { served <- s.serve(server) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve the web: %w", err)
	case <-ctx.Done():
	}
	err := s.shutdown(server)
	<-served // the port is free only now
	return err
}

func (s *Server) serve(server *http.Server) error {
	if s.config.TLS != nil {
		return server.ServeTLS(s.listener, "", "")
	}
	return server.Serve(s.listener)
}

// shutdown ends the streams first: Shutdown would wait for them for ever. Their readers come back by their seq.
func (s *Server) shutdown(server *http.Server) error {
	s.stopOnce.Do(func() { close(s.stopping) })
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	if err := server.Shutdown(ctx); errors.Is(err, context.DeadlineExceeded) {
		return server.Close()
	} else if err != nil {
		return fmt.Errorf("stop the web: %w", err)
	}
	return nil
}
