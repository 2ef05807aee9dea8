package webui

import (
	"fmt"
	"net/http"
)

// routes is every address that the gateway answers. Whatever is not here gets the page that an unknown link gets.
func (s *Server) routes() (http.Handler, error) {
	mux := http.NewServeMux()
	mux.HandleFunc("/", s.notFound)
	mux.HandleFunc("GET /{$}", s.home)
	mux.Handle("GET "+s.static.prefix, s.static)

	mux.HandleFunc("GET /j/{token}", s.showInvitation)
	mux.HandleFunc("POST /j/{token}", s.answerInvitation)
	mux.HandleFunc("GET /no-thanks", s.invitationDeclined)
	mux.HandleFunc("GET /no-thanks-reported", s.invitationReported)
	mux.HandleFunc("GET /b/{token}", s.showBrowsers)
	mux.HandleFunc("POST /b/{token}", s.endBrowsers)
	mux.HandleFunc("GET /c/{token}", s.showHeld)
	mux.HandleFunc("POST /c/{token}", s.decideHeld)
	mux.HandleFunc("GET /u/{token}", s.showUnsubscribe)
	mux.HandleFunc("POST /u/{token}", s.unsubscribe)
	mux.HandleFunc("GET /i/{file}", s.icon)

	mux.HandleFunc("GET /s/{session}", s.showSession)
	mux.HandleFunc("GET /s/{session}/events", s.followSession)
	mux.HandleFunc("GET /s/{session}/seen.png", s.seenWithoutScript)
	mux.HandleFunc("POST /s/{session}/messages", s.postMessage)
	mux.HandleFunc("POST /s/{session}/read", s.markRead)
	mux.HandleFunc("POST /s/{session}/leave", s.leave)
	mux.HandleFunc("GET /left", s.left)
	mux.HandleFunc("POST /s/{session}/signal", s.signal)
	mux.HandleFunc("POST /s/{session}/members/{member}/remove", s.removeMember)
	mux.HandleFunc("POST /s/{session}/invite", s.inviteMember)
	mux.HandleFunc("POST /s/{session}/close", s.closeSession)
	mux.HandleFunc("POST /s/{session}/reopen", s.reopenSession)
	mux.HandleFunc("POST /s/{session}/options", s.setOptions)
	mux.HandleFunc("POST /s/{session}/decline", s.decline)
	mux.HandleFunc("GET /declined", s.declined)
	mux.HandleFunc("POST /s/{session}/report", s.report)
	mux.HandleFunc("GET /s/{session}/reported", s.reported)
	mux.HandleFunc("POST /s/{session}/signout", s.signOutHere)
	mux.HandleFunc("GET /signed-out", s.signedOut)

	mux.HandleFunc("GET /p/{token}", s.showSignIn)
	mux.HandleFunc("POST /p/{token}", s.signIn)
	mux.HandleFunc("GET /me", s.showMe)
	mux.HandleFunc("POST /me", s.askSignIn)
	mux.HandleFunc("POST /me/end", s.asMe(s.endReach))
	mux.HandleFunc("POST /me/close", s.asMe(s.closeReach))
	mux.HandleFunc("POST /me/block", s.asMe(s.blockInviter))
	mux.HandleFunc("POST /me/unblock", s.asMe(s.unblock))
	mux.HandleFunc("POST /me/presence", s.asMe(s.setPresence))
	mux.HandleFunc("POST /me/signout", s.asMe(s.signOut))
	mux.HandleFunc("POST /me/signout-everywhere", s.asMe(s.signOutEverywhere))

	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	s.routeAPI(mux)
	if s.config.Peers != nil {
		mux.Handle("POST /node/memory", s.config.Peers(http.HandlerFunc(s.notFound)))
	}
	if s.config.Outbox != nil {
		outbox := s.onlyHere(s.config.Outbox)
		mux.Handle("GET /dev/outbox", outbox)
		mux.Handle("GET /dev/outbox.json", outbox)
		mux.Handle("GET /dev/outbox/{mail}", outbox)
	}
	guarded, err := s.guardOrigin(mux)
	return s.observe(secured(guarded)), err
}

// guardOrigin refuses forms that other sites submit. Two kinds of requests have no cookie to misuse: one-click
// unsubscribing, which mail providers send (RFC 8058 §3.1), and the API, which reads a bearer token only.
func (s *Server) guardOrigin(next http.Handler) (http.Handler, error) {
	guard := http.NewCrossOriginProtection()
	if err := guard.AddTrustedOrigin(s.config.origin); err != nil {
		return nil, fmt.Errorf("public_url: %w", err)
	}
	guard.AddInsecureBypassPattern("POST /u/{token}")
	guard.AddInsecureBypassPattern("/api/v1/")
	guard.SetDenyHandler(http.HandlerFunc(s.foreignForm))
	return guard.Handler(next), nil
}
