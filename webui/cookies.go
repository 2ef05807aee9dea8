package webui

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"mailroom/bridge"
)

// A browser has one cookie for all its sessions: a ring of keys, one for each session. __Host- demands Path=/, so a cookie
// for each session would be sent with every request all the same, without any bound on how many. The ring has one: when it
// is full, the key that was made longest ago drops off, and its owner opens the link in the mail again.
//
// A key is the first 8 digits of the session's UUID, which spares trying each key, and the secret that bridge made for
// this browser, this member and this session: keys are revoked one by one, and one that leaks opens one session.
const (
	cookieName = "mailroom"
	// MaxCookie is the most bytes of the ring. Browsers drop a cookie of more than 4096 bytes, name and attributes included.
	MaxCookie = 3500
	// cookieAge is how long a browser stays known after its last joining. Browsers keep a cookie for 400 days at most.
	cookieAge = 365 * 24 * time.Hour
	tagLength = 8
)

var secretShape = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// keyring is the secrets of a browser, newest first, each after the tag of its session.
type keyring []string

func (s *Server) keyring(r *http.Request) keyring {
	cookie, err := r.Cookie(s.cookieName())
	if err != nil || len(cookie.Value) > MaxCookie {
		return nil
	}
	return strings.Split(cookie.Value, ".")
}

func (s *Server) cookieName() string { return s.onThisHost(cookieName) }

// onThisHost gives a cookie's name the prefix that binds it to this very host, where browsers take it: on HTTPS.
func (s *Server) onThisHost(name string) string {
	if s.config.secure {
		return "__Host-" + name
	}
	return name
}

// with puts the secret for a session in front, in the place of an earlier one for that session.
func (k keyring) with(session uuid.UUID, secret string) keyring {
	tag := session.String()[:tagLength]
	ring, size := keyring{tag + secret}, tagLength+len(secret)
	for _, key := range k {
		size += 1 + len(key)
		if size > MaxCookie {
			break
		}
		if !strings.HasPrefix(key, tag) {
			ring = append(ring, key)
		}
	}
	return ring
}

// without leaves out the key for a session.
func (k keyring) without(session uuid.UUID) keyring {
	tag := session.String()[:tagLength]
	return slices.DeleteFunc(slices.Clone(k), func(key string) bool { return strings.HasPrefix(key, tag) })
}

// secrets are those that may be for a session.
func (k keyring) secrets(session uuid.UUID) (secrets []string) {
	for _, key := range k {
		if secret, ok := strings.CutPrefix(key, session.String()[:tagLength]); ok && secretShape.MatchString(secret) {
			secrets = append(secrets, secret)
		}
	}
	return secrets
}

func (s *Server) setKeyring(w http.ResponseWriter, ring keyring) {
	s.setCookie(w, cookieName, strings.Join(ring, "."), cookieAge)
}

// setCookie has the browser keep a secret; "" takes the cookie away.
func (s *Server) setCookie(w http.ResponseWriter, name, value string, age time.Duration) {
	if value == "" {
		age = -time.Second
	}
	http.SetCookie(w, &http.Cookie{
		Name: s.onThisHost(name), Value: value, Path: "/", MaxAge: int(age.Seconds()),
		// Lax, not Strict: the first click from webmail comes from another site.
		Secure: s.config.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// identify says who the browser is in a session; NotFound if its cookie does not count there, or there is none.
func (s *Server) identify(r *http.Request, session uuid.UUID) (bridge.Identity, error) {
	for _, secret := range s.keyring(r).secrets(session) {
		by, err := s.service.Browser(r.Context(), secret, session)
		if bridge.CodeOf(err) != bridge.NotFound {
			return by, err
		}
	}
	return bridge.Identity{}, errUnknown
}

// errUnknown is met by whoever shows nothing, or nothing that counts.
var errUnknown = &bridge.Error{Code: bridge.NotFound, Message: "There is nothing here for this browser."}
