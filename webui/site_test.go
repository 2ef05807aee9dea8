package webui

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"mailroom/bridge"
)

// site is a gateway that serves a fake core on loopback, and can be stopped and started again on its port.
type site struct {
	t      *testing.T
	fake   *fakeService
	config Config
	stop   func()
	url    string
}

func newSite(t *testing.T, fake *fakeService) *site {
	t.Helper()
	s := &site{t: t, fake: fake, config: Config{Listen: "127.0.0.1:0", PublicURL: "http://127.0.0.1"}}
	s.start()
	t.Cleanup(func() { s.stop() })
	return s
}

func (s *site) start() {
	s.t.Helper()
	server, err := New(s.config, s.fake, slog.New(slog.NewTextHandler(io.Discard, nil)))
	require.NoError(s.t, err)
	require.NoError(s.t, server.Listen())
	s.config.Listen = server.Addr().String()
	s.url = "http://" + s.config.Listen
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	s.stop = func() {
		cancel()
		require.NoError(s.t, <-done)
		s.stop = func() {}
	}
}

// handler is a gateway without a listener.
func handler(t *testing.T, fake *fakeService, change ...func(*Config)) http.Handler {
	t.Helper()
	config := Config{PublicURL: "https://chat.example.org"}
	for _, f := range change {
		f(&config)
	}
	server, err := New(config, fake, slog.New(slog.NewTextHandler(io.Discard, nil)))
	require.NoError(t, err)
	return server.Handler()
}

// plan is a session of four: Alice started it, Bob and Carol have mail only, Dan is on Matrix.
func plan(fake *fakeService) (room *bridge.Room, alice, bob, carol, dan bridge.Member) {
	room = fake.open("Friday plan", someone("Alice", "alice@example.org"), someone("Bob", "bob@client.test"),
		someone("Carol", "carol@shop.test"), someone("Dan", "@dan:example.org"))
	return room, room.Members[0], room.Members[1], room.Members[2], room.Members[3]
}

func text(s string) bridge.Body { return bridge.Body{Text: s} }

func sessionURL(s *site, id uuid.UUID) string { return s.url + sessionPath(id) }
