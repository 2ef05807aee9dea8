package appservice

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/id"
)

// Limits of requests to the homeserver. A homeserver that is down is noticed within dialTimeout. One that has taken a request
// may need long for it: giving up early makes a delivery unsure, which costs more than waiting.
const (
	dialTimeout     = 5 * time.Second
	responseTimeout = 60 * time.Second
	idleConnections = 128
	maxResponse     = 32 << 20 // bytes; the largest answers are lists of members
)

// newHTTPClient makes the client that all requests share. Without many idle connections, sessions that are busy at the same
// time would open a connection for each message.
func newHTTPClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{Timeout: dialTimeout}).DialContext
	transport.ResponseHeaderTimeout = responseTimeout
	transport.MaxIdleConns = idleConnections
	transport.MaxIdleConnsPerHost = idleConnections
	return &http.Client{Transport: transport}
}

// as makes requests as the bot or a ghost (AS "Identity assertion"). Nothing is retried in it: the outbox does that. It logs
// nothing, because mautrix would log what was said.
func (g *Gateway) as(user id.UserID) *mautrix.Client {
	return &mautrix.Client{
		HomeserverURL:       g.homeserver,
		UserID:              user,
		SetAppServiceUserID: true,
		AccessToken:         g.registration.AppToken,
		UserAgent:           "Mailroom",
		Client:              g.client,
		Log:                 zerolog.Nop(),
		ResponseSizeLimit:   maxResponse,
	}
}

// statusOf is the HTTP status with which the homeserver refused, or 0 if it did not answer.
func statusOf(err error) int {
	var failed mautrix.HTTPError
	if errors.As(err, &failed) && failed.Response != nil {
		return failed.Response.StatusCode
	}
	return 0
}

func isForbidden(err error) bool { return statusOf(err) == http.StatusForbidden }

func isNotFound(err error) bool { return statusOf(err) == http.StatusNotFound }

// isTooLarge knows the answers for an event of more than 64 KiB (CS "Size limits"): Synapse says M_TOO_LARGE, Dendrite only
// the status.
func isTooLarge(err error) bool {
	return statusOf(err) == http.StatusRequestEntityTooLarge || errors.Is(err, mautrix.MTooLarge)
}

// isMalformed says that the homeserver will never take this content.
func isMalformed(err error) bool {
	return statusOf(err) == http.StatusBadRequest &&
		(errors.Is(err, mautrix.MBadJSON) || errors.Is(err, mautrix.MNotJSON) || errors.Is(err, mautrix.MInvalidParam))
}

// defaultPause is how long a limit lasts if the homeserver does not say it.
const defaultPause = 2 * time.Second

// limitOf is how long the homeserver wants us to wait (CS "Rate limiting"), if it does.
func limitOf(err error) (pause time.Duration, limited bool) {
	if statusOf(err) != http.StatusTooManyRequests {
		return 0, false
	}
	var refusal mautrix.RespError
	if errors.As(err, &refusal) {
		if ms, ok := refusal.ExtraData["retry_after_ms"].(float64); ok && ms > 0 {
			return time.Duration(ms) * time.Millisecond, true
		}
	}
	return defaultPause, true
}

// isDefinite says that the homeserver has judged the request itself, so that asking again changes nothing.
func isDefinite(err error) bool {
	switch status := statusOf(err); status {
	case http.StatusUnauthorized, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return false
	default:
		return status >= 400 && status < 500
	}
}

// unlessForbidden is for requests that are refused when there is nothing left to do, such as kicking somebody who is gone.
func unlessForbidden(err error) error {
	if isForbidden(err) {
		return nil
	}
	return err
}

// briefly bounds a request that an event of the homeserver waits for.
func briefly(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, courtesyTimeout)
}

// courtesyTimeout bounds explanations and refusals, which must not hold up the taking of events.
const courtesyTimeout = 10 * time.Second
