package appservice

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestConfigurationErrorsNameTheKey(t *testing.T) {
	good := Config{Homeserver: "http://127.0.0.1:8008", Domain: testDomain, Registration: writeRegistration(t, t.TempDir(), "http://127.0.0.1:1"), Listen: "127.0.0.1:0"}
	for key, spoil := range map[string]func(*Config){
		"matrix.homeserver":   func(c *Config) { c.Homeserver = "127.0.0.1:8008" },
		"matrix.domain":       func(c *Config) { c.Domain = "@carol:example.org" },
		"matrix.listen":       func(c *Config) { c.Listen = "29300" },
		"matrix.registration": func(c *Config) { c.Registration = "" },
	} {
		bad := good
		spoil(&bad)
		_, err := New(bad, newCore(), quietLog())
		require.ErrorContains(t, err, key+": ")
	}
	_, err := New(good, newCore(), quietLog())
	require.NoError(t, err)
}

func TestRunWaitsForAHomeserverThatIsDown(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	g, err := New(Config{Homeserver: "http://127.0.0.1:1", Domain: testDomain, Registration: writeRegistration(t, t.TempDir(), "http://127.0.0.1:1"), Listen: "127.0.0.1:0"}, newCore(), quietLog())
	require.NoError(t, err)
	require.NoError(t, g.Listen())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	eventually(t, "the gateway does not answer", func() bool {
		response, err := http.Get("http://" + g.Addr().String() + "/")
		if err != nil {
			return false
		}
		defer response.Body.Close()
		return response.StatusCode == http.StatusNotFound
	})
	http.DefaultClient.CloseIdleConnections()
	select {
	case err := <-ended:
		require.Fail(t, "the gateway ended", "%v", err)
	default:
	}
	cancel()
	require.NoError(t, <-ended)
}

func TestRunIntroducesTheBot(t *testing.T) {
	s := newStage(t)
	require.NoError(t, s.gateway.Listen())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.gateway.Run(ctx) }()
	eventually(t, "the bot has no name", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.users[s.gateway.bot.String()] == botName
	})
	cancel()
	require.NoError(t, <-ended)
}

func TestTakenPortIsExplained(t *testing.T) {
	s := newStage(t)
	require.NoError(t, s.gateway.Listen())
	t.Cleanup(func() { require.NoError(t, s.gateway.listener.Close()) })
	other := s.anotherGateway(t)
	other.cfg.Listen = s.gateway.Addr().String()
	require.ErrorContains(t, other.Listen(), "matrix.listen: ")
}

func TestCheckNamesTheKeyAndTheMend(t *testing.T) {
	for key, play := range map[string]http.HandlerFunc{
		"matrix.homeserver: ":              cutOff,
		"app_service_api.config_files":     refusal(http.StatusUnauthorized, "M_UNKNOWN_TOKEN", nil),
		"present registration file":        refusal(http.StatusBadRequest, "M_EXCLUSIVE", nil),
		"does not work as a homeserver":    refusal(http.StatusInternalServerError, "M_UNKNOWN", nil),
		"matrix.homeserver: no homeserver": cutOff,
	} {
		s := newStage(t)
		s.plays("/register", play)
		require.ErrorContains(t, s.gateway.Check(t.Context()), key)
		require.NoError(t, s.gateway.Check(t.Context()))
	}
}

func TestCheckFindsAHomeserverThatDoesNotReachUs(t *testing.T) {
	s := newStage(t)
	s.plays("/ping", refusal(http.StatusBadGateway, "M_CONNECTION_FAILED", nil))
	require.ErrorContains(t, s.gateway.Check(t.Context()), "matrix.listen: ")
}

func TestCheckGivesUpInTime(t *testing.T) {
	s := newStage(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	require.Error(t, s.gateway.Check(ctx))
}
