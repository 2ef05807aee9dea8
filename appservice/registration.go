package appservice

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"

	"gopkg.in/yaml.v3"
	mautrix "maunium.net/go/mautrix/appservice"
	"maunium.net/go/mautrix/id"
)

// The names that the registration reserves. Ghosts and aliases begin with reservedPrefix.
const (
	registrationID = "mailroom"
	botLocalpart   = "mailroom"
	reservedPrefix = "mailroom_"
)

// Registration is the file that tells the homeserver about us (AS "Registration"). YAML gives its text.
type Registration = mautrix.Registration

// NewRegistration makes a registration with fresh tokens. The homeserver will push events to address, for example
// http://127.0.0.1:29300; if it is empty, the address that cfg listens on is taken.
func NewRegistration(cfg Config, address string) *Registration {
	if address == "" {
		address = "http://" + cfg.Listen
	}
	unlimited := false
	return &Registration{
		ID:              registrationID,
		URL:             address,
		AppToken:        rand.Text() + rand.Text(),
		ServerToken:     rand.Text() + rand.Text(),
		SenderLocalpart: botLocalpart,
		RateLimited:     &unlimited,
		Namespaces:      reserved(cfg.Domain),
		EphemeralEvents: true,
	}
}

// reserved are our namespaces. Dendrite matches them unanchored, and sends the events of the bot's rooms only if the bot
// itself is in one; so each is anchored, has the server name, and the bot has its own.
func reserved(domain string) mautrix.Namespaces {
	server := regexp.QuoteMeta(domain)
	return mautrix.Namespaces{
		UserIDs: mautrix.NamespaceList{
			{Regex: "^@" + reservedPrefix + ".*:" + server + "$", Exclusive: true},
			{Regex: "^@" + botLocalpart + ":" + server + "$", Exclusive: true},
		},
		RoomAliases: mautrix.NamespaceList{
			{Regex: "^#" + reservedPrefix + ".*:" + server + "$", Exclusive: true},
		},
	}
}

// LoadRegistration reads the file that cfg names and checks that it fits. Errors name the key and say how to mend it.
func LoadRegistration(cfg Config) (*Registration, error) {
	const mend = "write it with `mailroom registration`, and give the same file to the homeserver"
	text, err := os.ReadFile(cfg.Registration)
	if err != nil {
		return nil, fmt.Errorf("matrix.registration: %w; %s", err, mend)
	}
	var registration Registration
	if err := yaml.Unmarshal(text, &registration); err != nil {
		return nil, fmt.Errorf("matrix.registration: %s is not YAML (%w); %s", cfg.Registration, err, mend)
	}
	if err := checkRegistration(&registration, cfg.Domain); err != nil {
		return nil, fmt.Errorf("matrix.registration: in %s %w; %s", cfg.Registration, err, mend)
	}
	return &registration, nil
}

func checkRegistration(r *Registration, domain string) error {
	address, err := url.Parse(r.URL)
	switch {
	case r.ID == "":
		return errors.New("id is missing")
	case r.AppToken == "" || r.ServerToken == "":
		return errors.New("as_token or hs_token is missing")
	case r.AppToken == r.ServerToken:
		return errors.New("as_token and hs_token are the same")
	case r.SenderLocalpart != botLocalpart:
		return fmt.Errorf("sender_localpart is %q instead of %q", r.SenderLocalpart, botLocalpart)
	case err != nil || address.Host == "":
		return fmt.Errorf("url is %q, which the homeserver cannot push to", r.URL)
	}
	for _, localpart := range []string{botLocalpart, reservedPrefix + "ghost"} {
		if user := id.NewUserID(localpart, domain); !covers(r.Namespaces.UserIDs, user.String()) {
			return fmt.Errorf("namespaces.users has no exclusive entry for %s", user)
		}
	}
	return nil
}

func covers(namespaces mautrix.NamespaceList, name string) bool {
	for _, namespace := range namespaces {
		pattern, err := regexp.Compile(namespace.Regex)
		if err == nil && namespace.Exclusive && pattern.MatchString(name) {
			return true
		}
	}
	return false
}
