package appservice

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"

	"maunium.net/go/mautrix"
)

// Check asks the homeserver whether it knows us and reaches us. The error is a sentence that names the key of the
// configuration and the mend. Somebody must be listening: a homeserver that can (Matrix 1.7) pings us.
func (g *Gateway) Check(ctx context.Context) error {
	// Servers know the bot of a registration only after it has an account.
	if err := g.register(ctx, g.bot); err != nil {
		return g.explain(err)
	}
	me, err := g.as(g.bot).Whoami(ctx)
	if err != nil {
		return g.explain(err)
	}
	if me.UserID != g.bot {
		return fmt.Errorf("matrix.domain: the homeserver says that our bot is %s instead of %s; set the domain to its server name", me.UserID, g.bot)
	}
	return g.checkReach(ctx)
}

// explain makes a sentence of an error of the first request.
func (g *Gateway) explain(err error) error {
	switch status := statusOf(err); {
	case status == 0:
		return fmt.Errorf("matrix.homeserver: no homeserver answers at %s; start it, or correct the address: %w", g.cfg.Homeserver, err)
	case status == http.StatusUnauthorized || errors.Is(err, mautrix.MUnknownToken):
		return fmt.Errorf("matrix.registration: the homeserver does not know our as_token; name %s in its configuration (Synapse: app_service_config_files, Dendrite: app_service_api.config_files) and restart it: %w", g.cfg.Registration, err)
	case errors.Is(err, mautrix.MExclusive), isForbidden(err):
		return fmt.Errorf("matrix.registration: the homeserver does not let us be %s; give it the present registration file, and see that matrix.domain is its server name: %w", g.bot, err)
	default:
		return fmt.Errorf("matrix.homeserver: %s does not work as a homeserver should: %w", g.cfg.Homeserver, err)
	}
}

// checkReach lets the homeserver ping us (CS "Application service ping"). Dendrite 0.15 cannot.
func (g *Gateway) checkReach(ctx context.Context) error {
	_, err := g.as(g.bot).AppservicePing(ctx, g.registration.ID, rand.Text())
	switch {
	case err == nil, isNotFound(err), statusOf(err) == http.StatusMethodNotAllowed, errors.Is(err, mautrix.MUnrecognized):
		return nil
	case statusOf(err) == 0:
		return g.explain(err)
	default:
		return fmt.Errorf("matrix.listen: the homeserver does not reach us at %s, the url in the registration; correct it there, or listen where it points: %w", g.registration.URL, err)
	}
}
